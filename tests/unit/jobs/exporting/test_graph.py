"""One module from stored samples to probabilities or values."""

from pathlib import Path

import torch
from exportable import (
    OF_IMAGES,
    OF_ROWS,
    PIXELS,
    Halved,
    Images,
    Rows,
    Softmax,
    Sum,
    classifier,
    export,
    study,
)

from lightning_hpo.jobs.exporting import writers


def test_a_network_that_gives_probabilities_gets_no_second_softmax(tmp_path: Path) -> None:
    module = Softmax()
    found = export(study(tmp_path, Images, OF_IMAGES, module))
    x = torch.from_numpy(PIXELS)
    with torch.no_grad():
        expected = module((x.float() - 2) / 4)
    torch.testing.assert_close(writers.runner(found.path, "torch")(x), expected)


def test_data_with_a_normalisation_of_their_own_keep_it(tmp_path: Path) -> None:
    module = classifier()
    found = export(study(tmp_path, Halved, OF_IMAGES, module))
    x = torch.from_numpy(PIXELS)
    with torch.no_grad():
        expected = module(x / 2).softmax(1)
    torch.testing.assert_close(writers.runner(found.path, "torch")(x), expected)


def test_a_network_of_double_precision_takes_and_gives_single(tmp_path: Path) -> None:
    found = export(study(tmp_path, Rows, OF_ROWS, Sum().double()))
    given = writers.runner(found.path, "torch")(torch.tensor([[3.0, 6.0]]))
    assert (given.dtype, given.tolist()) == (torch.float32, [4.0])
