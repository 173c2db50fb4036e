"""Trials whose fits run in two ranks: they stop together, and what they found comes home."""

import csv
import sys
from pathlib import Path

import optuna
import psutil
import pytest
import pytorch_lightning as pl
from optuna.trial import TrialState
from torch.multiprocessing import (
    ProcessExitedException,
    ProcessRaisedException,
)

sys.path.insert(0, str(Path(__file__).parent))
from command import run, trials

from lightning_hpo.errors import NonFiniteLoss, UserError
from lightning_hpo.fitting.ranks import check_storage, check_strategy, died, raised_in_rank

# Also where the Trainer's configuration does not have the key.
RANKS = ("++trainer.strategy=ddp_spawn", "trainer.devices=2")


@pytest.mark.sweep
@pytest.mark.slow
def test_a_study_in_ranks_has_a_complete_and_a_pruned_trial(tmp_path):
    status, _, err = run(tmp_path, *RANKS, experiment="folds")
    assert (status, err) == (0, "")
    study_dir = tmp_path / "studies" / "folds"
    learned, hopeless = trials(study_dir)
    assert (learned.state, hopeless.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert sorted(learned.intermediate_values) == [0, 1, 2]
    assert learned.value == min(learned.intermediate_values.values())
    # Nothing was reported after the pruner's word.
    assert sorted(hopeless.intermediate_values) == [0, 1]
    for trial in (learned, hopeless):
        folder = study_dir / "trials" / str(trial.number)
        rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
        logged = {int(row["epoch"]): float(row["val/loss"]) for row in rows if row.get("val/loss")}
        assert logged == pytest.approx(trial.intermediate_values)
        assert not (folder / "ranks.pickle").exists()
    assert not [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]


def trainer(**options) -> pl.Trainer:
    return pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, **options)


def test_ranks_need_a_storage_that_they_can_share(tmp_path):
    in_memory = optuna.create_study().ask()
    ranks = trainer(strategy="ddp_spawn", devices=2)
    with pytest.raises(UserError, match=r"ranks must share .* use study.storage=null"):
        check_storage(ranks, [in_memory])
    check_storage(trainer(devices=1), [in_memory])
    check_storage(ranks, [optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db").ask()])


def test_a_strategy_that_starts_the_whole_command_again_is_refused():
    with pytest.raises(UserError, match=r"got DDPStrategy.* use trainer.strategy=ddp_spawn"):
        check_strategy(trainer(strategy="ddp", devices=2))
    check_strategy(trainer(strategy="ddp_spawn", devices=2))
    check_strategy(trainer(devices=1))


@pytest.mark.parametrize(
    ("last", "kind", "message"),
    [
        ("lightning_hpo.errors.UserError: monitor: not logged", UserError, "monitor: not logged"),
        ("a.b.NonFiniteLoss: val/loss became nan", NonFiniteLoss, "val/loss became nan"),
        ("ValueError: no", RuntimeError, "rank 1 raised ValueError: no"),
        ("KeyError", RuntimeError, "rank 1 raised KeyError"),
    ],
)
def test_what_a_rank_raised_is_raised_at_home(last, kind, message):
    text = f"\n\n-- Process 1 terminated with the following error:\nTraceback ...\n{last}\n"
    raised = raised_in_rank(ProcessRaisedException(text, 1, 4242), (UserError, NonFiniteLoss))
    assert (type(raised), str(raised)) == (kind, message)


def test_a_rank_that_was_killed_is_a_process_that_died():
    killed = ProcessExitedException("process 1 terminated", 1, 4242, -9, "SIGKILL")
    assert str(died(killed)) == "rank 1 died of SIGKILL (perhaps for want of memory)"
    left = ProcessExitedException("process 0 terminated", 0, 4242, 3)
    assert str(died(left)) == "rank 0 died of exit status 3"
