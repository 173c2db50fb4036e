"""How long a pruner waits, by the schedule and the epochs that a configuration has."""

import pytest
from omegaconf import OmegaConf

from lightning_hpo.composition.warmup import warmup_steps


# Rule: half of the epochs, rounded down, under a schedule whose length is known; never less than
# the pruner asks for.
def test_half_of_the_epochs_under_a_schedule() -> None:
    def waits(epochs: int | None, *, least: int = 1, scheduled: bool = True) -> int:
        return warmup_steps(least, scheduled=scheduled, max_epochs=epochs)

    assert [waits(epochs) for epochs in (1, 2, 3, 8, 9)] == [1, 1, 1, 4, 4]
    assert waits(8, least=6) == 6
    assert waits(8, scheduled=False) == 1
    assert waits(None) == waits(-1) == 1


# Rule: a configuration without a scheduler or a trainer, of another application, waits as asked.
@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({}, 7),
        ({"scheduler": {}, "trainer": {"max_epochs": 40}}, 7),
        ({"scheduler": None, "trainer": {"max_epochs": 40}}, 7),
        ({"scheduler": {"_target_": "a.schedule"}}, 7),
        ({"scheduler": {"_target_": "a.schedule"}, "trainer": {"max_epochs": 40}}, 20),
    ],
)
def test_a_configuration_says_it_by_itself(others: dict[str, object], expected: int) -> None:
    cfg = OmegaConf.create({"pruner": {"n_warmup_steps": "${warmup_steps:7}"}, **others})
    assert cfg.pruner.n_warmup_steps == expected
