"""A real nested cross-validation: interrupted in its second outer fold, resumed, complete."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parent))
from command import TIMEOUT_S, command, interrupt, results, run, trials, until

from lightning_hpo.fitting import build, splits

pytestmark = pytest.mark.sweep

SMALL = ("study.n_trials=2", "study.n_jobs=1", "study.showcase=false", "trainer.max_epochs=1")
WORDS = (*SMALL, "cv.final=false", "logger=none", "data.lock_box=0.1", "data.train_limit=null")
NESTED = (*WORDS, "study.nested=2")
N_FREE = 1437 - 144


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """The study's folder; what was there after the interrupt; what the second run said."""
    folder = tmp_path_factory.mktemp("nested")
    study_dir = folder / "studies" / "tiny"
    process = command(folder, *NESTED)
    try:
        cost = until(process, r"^nested cross-validation: ")
        until(process, r"^outer fold 2 of 2: search")
        begun, deadline = study_dir / "nested" / "fold_1" / "trials" / "0", time.monotonic()
        while not begun.is_dir():
            assert time.monotonic() < deadline + TIMEOUT_S
            time.sleep(0.01)
        status, err = interrupt(process, signal.SIGINT)
    finally:
        process.kill()
    assert (status, err) == (130, "")
    first = study_dir / "nested" / "fold_0" / "results.json"
    kept = {"cost": cost, "results": results(study_dir), "first": first.stat().st_mtime_ns}
    status, out, err = run(folder, *NESTED)
    assert (status, err) == (0, ""), out
    return study_dir, kept, out


def jobs(study_dir: Path) -> list[Path]:
    trials = sorted((study_dir / "trials").glob("*/config.yaml"))
    return [*trials, *sorted((study_dir / "final").glob("*/config.yaml"))]


def seen_and_held(config: Path) -> tuple[set[int], set[int], set[int]]:
    """What a job trains and validates on, its outer fold and its lock box."""
    cfg = OmegaConf.load(config)
    split = splits.refit_split if config.parent.name == "refit" else splits.search_split
    data = build.data_module(cfg, split(cfg, 0) if split is splits.search_split else split(cfg))
    seen = {*data.train_indices.tolist(), *data.val_indices.tolist()}
    return seen, set(data.apart.outer.tolist()), set(data.apart.lock_box.tolist())


def test_the_cost_is_said_before_it_begins_and_the_studys_own_results_are_there(resumed):
    _, kept, _ = resumed
    assert "search and refit again in 2 of 2 outer folds, by what this study took" in kept["cost"]
    assert kept["results"]["test"].keys() == {"test/loss", "test/accuracy"}
    assert kept["results"]["nested"] is None


# Rule: no trial and no refit of an outer fold's study sees a sample of that fold.
def test_no_job_sees_the_outer_fold_that_judges_it(resumed):
    study_dir, _, _ = resumed
    boxes, outers = [], []
    for fold in (0, 1):
        inner = study_dir / "nested" / f"fold_{fold}"
        found = [seen_and_held(config) for config in jobs(inner)]
        # Two trials and the refit; an interrupted trial is begun again under a number of its own.
        assert len(found) in ((3,) if fold == 0 else (3, 4))
        for seen, outer, box in found:
            assert not seen & outer and not seen & box and not outer & box
            assert len(seen | outer) == N_FREE
            assert (outer, box) == found[0][1:]
        outers.append(found[0][1])
        boxes.append(found[0][2])
        # A hit or a miss each: the test is of the samples of the fold.
        hits = results(inner)["test"]["test/accuracy"] * len(outers[-1])
        assert hits == pytest.approx(round(hits), abs=1e-2)
    assert not outers[0] & outers[1] and len(outers[0] | outers[1]) == N_FREE
    assert boxes[0] == boxes[1]


def test_the_mean_is_that_of_the_folds(resumed):
    study_dir, _, out = resumed
    nested = results(study_dir)["nested"]
    losses = [results(study_dir / "nested" / f"fold_{k}")["test"]["test/loss"] for k in range(2)]
    assert [fold["test"]["test/loss"] for fold in nested["folds"]] == losses
    assert nested["test/loss_mean"] == pytest.approx(sum(losses) / 2)
    assert nested["test/loss_std"] == pytest.approx(abs(losses[0] - losses[1]) / 2**0.5)
    assert nested["folds"][0]["params"]["optimizer"] in ("sgd", "adam")
    assert "nested cross-validation, 2 outer folds: test/loss" in out
    page = (study_dir / "report.html").read_text()
    assert "What this procedure is worth" in page


# Rule: a resume does what is missing and nothing else.
def test_the_interrupted_fold_went_on_and_the_other_one_was_left_alone(resumed):
    study_dir, kept, out = resumed
    first = study_dir / "nested" / "fold_0" / "results.json"
    assert first.stat().st_mtime_ns == kept["first"]
    assert "again in 1 of 2 outer folds" in out
    assert "outer fold 1 of 2" not in out
    complete = [t for t in trials(study_dir / "nested" / "fold_1") if t.state.name == "COMPLETE"]
    assert len(complete) == 2
    assert json.loads((study_dir / "nested" / "n_folds.json").read_text()) == 2
    # The outer folds' studies are small: no report, no figures.
    assert not (study_dir / "nested" / "fold_1" / "report.html").exists()
    assert not (study_dir / "nested" / "fold_1" / "final" / "figures").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("study.nested=1",), "study.nested must be a number of outer folds, at least 2"),
        (
            ("study.nested=2", "study.storage=sqlite:///other.db"),
            "study.storage is one storage for all of them; leave one of them out",
        ),
        (("study.nested=400",), "study.nested=400 asks for other outer folds"),
    ],
)
def test_what_cannot_be_nested_is_one_line_before_the_search(words, message, tmp_path):
    status, out, err = run(tmp_path, *WORDS, *words)
    assert status == 1 and "search:" not in out
    (line,) = err.splitlines()
    assert message in line
