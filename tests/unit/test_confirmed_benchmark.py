"""benchmarks/confirmed.py, on searches whose figures are counted by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides

from benchmarks import confirmed
from benchmarks.confirmed import AGAIN, DEFAULTS, WAYS, Ended
from benchmarks.recordings import named

MLP = named("mlp_two_layers")
UNIT = float(np.median(MLP.values) - MLP.values.min())
APART, RANDOM = list(WAYS)[1:]


def search(way: str, seed: int, value: float, lr: float, trials: int = 40) -> Ended:
    return Ended(MLP.name, way, seed, trials, value, {"optimizer.lr": lr})


def again(value: float, **params: float) -> Ended:
    return Ended(MLP.name, AGAIN, 0, 8, value, params)


# Rule: a recorded space is searched as it was.
@pytest.mark.parametrize("name", confirmed.RECORDINGS)
def test_the_overrides_of_a_recorded_space_are_that_space(name: str) -> None:
    space = named(name).space
    assert create_params_from_overrides(confirmed.ranges(space))[:2] == (space, {})


# Rule: seed by seed, and what the file has with so many trials is not run again.
def test_what_is_missing_comes_seed_by_seed(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "confirmed.jsonl"
    assert confirmed.read(file) == []
    rows = [search(DEFAULTS, 0, 0.3, 0.01), search(APART, 0, 0.3, 0.01, trials=12), again(0.3)]
    for row in rows:
        confirmed.append(file, row)
    assert confirmed.read(file) == rows
    to_do = list(confirmed.missing(rows, 2, 40))
    assert to_do[:2] == [("digits_fc", way, 0) for way in (DEFAULTS, APART)]
    assert to_do[3:5] == [(MLP.name, APART, 0), (MLP.name, RANDOM, 0)]
    assert [seed for _, _, seed in to_do] == [0] * 5 + [1] * 6


# Rule: each point is trained again once, whoever found it, and the recording's best beside them.
def test_what_is_trained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert confirmed.untrained(MLP, []) == []
    rows = [search(DEFAULTS, 0, 0.3, 0.01), search(APART, 0, 0.3, 0.01), search(RANDOM, 0, 1, 0.02)]
    rows.append(again(0.4, **{"optimizer.lr": 0.02}))
    best = confirmed.recorded_best(MLP)
    assert confirmed.untrained(MLP, rows) == [{"optimizer.lr": 0.01}, best]

    def study(recording: object, *overrides: str) -> SimpleNamespace:
        assert "study.n_trials=16" in overrides and "seed=range(1000,1008)" in overrides
        asked = next(each for each in overrides if each.startswith("study.enqueue="))
        assert asked.startswith("study.enqueue=[{x:1,seed:1000},{x:1,seed:1001},")
        # In any order; as much as the seed lies above 1000, and one more for each x.
        params = [{"seed": seed, "x": x} for seed in range(1000, 1008) for x in (2, 1)]
        told = [SimpleNamespace(params=p, value=p["seed"] - 1000.0 + p["x"]) for p in params]
        told[-2].value = None  # diverged
        return SimpleNamespace(trials=told)

    monkeypatch.setattr(confirmed, "study", study)
    found = list(confirmed.trained_again(MLP, [{"x": 1}, {"x": 2}]))
    median = float(np.median(MLP.values))
    assert found == [again(4.5, x=1), again((sum(range(2, 9)) + median) / 8, x=2)]


# Rule: differences are taken seed by seed, over seeds that all ways have, in shares of the way from
# the recording's best value to its median.
def test_the_table_pairs_by_seed() -> None:
    rows = [Ended(MLP.name, AGAIN, 0, 8, 0.25, confirmed.recorded_best(MLP))]
    for seed, luck in enumerate((0.0, 0.1, 0.5)):
        rows += [search(DEFAULTS, seed, 0.3 + luck, 0.01), search(APART, seed, 0.2 + luck, 0.02)]
    rows += [search(RANDOM, seed, 0.3 + 0.1 * UNIT * seed, 0.01) for seed in (0, 1)]
    rows.append(search(RANDOM, 2, 9.0, 0.01, trials=12))
    rows.append(again(0.25 + 0.5 * UNIT, **{"optimizer.lr": 0.01}))
    rows.append(again(0.25 - 0.25 * UNIT, **{"optimizer.lr": 0.02}))
    lines = confirmed.table(MLP, rows, 40).splitlines()
    assert lines[0] == f"mlp_two_layers: 40 trials, 2 seeds; shares are of {UNIT:.4f}"
    ours, apart, random = (line.strip("| ").split(" | ") for line in lines[4:])
    assert ours == [
        *(DEFAULTS, "0.3500", "0.3500 ± 0.0500", "+0.000 ± 0.000"),
        *("0.500", "0.500 ± 0.000", "+0.000 ± 0.000"),
    ]
    assert apart[3:] == [
        f"{-0.1 / UNIT:+.3f} ± 0.000",
        "-0.250",
        "-0.250 ± 0.000",
        "-0.750 ± 0.000",
    ]
    # By luck nothing and 0.1 less: half of the spread of the two is the standard error.
    worse = np.array([0, 0.1 - 0.1 / UNIT])
    assert random[3] == f"{worse.mean():+.3f} ± {abs(worse[1]) / 2:.3f}"
    assert len(confirmed.table(MLP, rows[:3], 40).splitlines()) == 4
