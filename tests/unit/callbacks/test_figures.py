"""When a callback draws its figures."""

from pathlib import Path

import pytest
from inspected_fits import fit

from lightning_hpo.callbacks.figures import FigureCallback
from lightning_hpo.errors import UserError

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]


class Counted(FigureCallback):
    """Notes the epochs trained whenever it draws, in place of drawing."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.drawn: list[tuple[str, int]] = []

    def _draw(self, trainer, pl_module, *, suffix) -> None:
        assert not trainer.sanity_checking
        self.drawn.append((suffix, trainer.global_step))  # one step an epoch


@pytest.mark.parametrize(
    ("every", "at_end", "expected"),
    [
        (2, True, [("_epoch_002", 2), ("_epoch_004", 4), ("", 5)]),
        (2, False, [("_epoch_002", 2), ("_epoch_004", 4)]),
        (5, True, [("", 5)]),  # the end draws for epoch 5
        (5, False, [("_epoch_005", 5)]),
        (None, True, [("", 5)]),
        (None, False, []),
    ],
)
def test_when_figures_are_drawn(tmp_path: Path, every, at_end, expected) -> None:
    counted = Counted(every_n_epochs=every, at_end=at_end)
    fit(tmp_path, counted, epochs=5, limit_train_batches=1, limit_val_batches=1)
    assert counted.drawn == expected
    with pytest.raises(UserError, match="at least 1, got every_n_epochs=0; use null"):
        Counted(every_n_epochs=0)
