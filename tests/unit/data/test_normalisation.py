"""What stands between stored samples and the network, as a module."""

import torch
from made import Made


# Rule: the module is the data's own normalisation, to the bit, and lives without the data.
def test_preprocessing_is_the_normalisation_as_a_module() -> None:
    data = Made()
    moments = {"mean": torch.tensor([2.0, 10.0]), "std": torch.tensor([4.0, 0.5])}
    data.load_state_dict(moments)
    module = data.preprocessing()
    assert module is not None
    assert {name: of.tolist() for name, of in module.named_buffers()} == {
        "mean": [2.0, 10.0],
        "std": [4.0, 0.5],
    }
    pixels = torch.tensor([6, 11], dtype=torch.uint8).view(1, 2, 1, 1)
    assert module(pixels).flatten().tolist() == [1.0, 2.0]
    assert torch.equal(module(pixels), data.normalised(pixels))
    assert data.mean is not None
    data.mean.zero_()
    assert module(pixels).flatten().tolist() == [1.0, 2.0]
