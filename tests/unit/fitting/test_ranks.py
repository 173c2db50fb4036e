"""Fits in ranks of their own: what cannot be shared is refused, and what a rank raised is told."""

from importlib import import_module
from pathlib import Path

import optuna
import pytest
from quiet import quiet_trainer
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from lightning_hpo.errors import NonFiniteLoss, UserError
from lightning_hpo.fitting import ranks
from lightning_hpo.flavour import pl

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")


def spawning() -> pl.Trainer:
    return quiet_trainer(strategy="ddp_spawn", devices=2)


# Rule: a job is not a command that a strategy could start once more.
def test_a_strategy_that_starts_the_whole_command_is_refused() -> None:
    ranks.check_strategy(quiet_trainer())
    ranks.check_strategy(spawning())
    with pytest.raises(UserError, match="DDPStrategy, which starts the whole command in each; use"):
        ranks.check_strategy(quiet_trainer(strategy="ddp", devices=2))


# Rule: a study in the memory of another process is out of the ranks' reach.
def test_a_study_in_memory_has_no_ranks(tmp_path: Path) -> None:
    in_memory = optuna.create_study().ask()
    in_file = optuna.create_study(storage=f"sqlite:///{tmp_path / 'study.db'}").ask()
    ranks.check_storage(quiet_trainer(), [in_memory])
    ranks.check_storage(spawning(), [in_file, object()])
    with pytest.raises(UserError, match=r"\(InMemoryStorage\); use study.storage=null, or"):
        ranks.check_storage(spawning(), [in_memory])


def test_without_ranks_the_fit_is_here_and_tells_its_epochs(tmp_path: Path) -> None:
    trainer = quiet_trainer(max_epochs=2, limit_train_batches=1, limit_val_batches=1)
    boring = import_module(f"{pl.__name__}.demos.boring_classes")
    module = boring.BoringModel()
    epochs = ranks.fit(trainer, module, boring.BoringDataModule(), folder=tmp_path, errors=())
    assert epochs == 2
    assert trainer.global_step == 2
    assert not list(tmp_path.iterdir())


# Rule: a known error comes back as itself, another by its last line, with the rank.
@pytest.mark.parametrize(
    ("last", "error"),
    [
        ("lightning_hpo.errors.UserError: n must be 1.", UserError("n must be 1.")),
        ("NonFiniteLoss: val/loss became nan", NonFiniteLoss("val/loss became nan")),
        ("ZeroDivisionError: by zero", RuntimeError("rank 1 raised ZeroDivisionError: by zero")),
        ("MyUserError: no", RuntimeError("rank 1 raised MyUserError: no")),
        ("KeyboardInterrupt", RuntimeError("rank 1 raised KeyboardInterrupt")),
    ],
)
def test_what_a_rank_raised_is_raised_here(last: str, error: Exception) -> None:
    text = f"\n-- Process 1 terminated with the following error:\nTraceback ...\n{last}\n\n"
    raised = ranks.raised_in_rank(
        ProcessRaisedException(text, error_index=1, error_pid=7), (UserError, NonFiniteLoss)
    )
    assert (type(raised), str(raised)) == (type(error), str(error))


@pytest.mark.parametrize(
    ("exit_code", "name", "words"),
    [
        (-9, "SIGKILL", "rank 1 died of SIGKILL (perhaps for want of memory)"),
        (-15, "SIGTERM", "rank 1 died of SIGTERM"),
        (3, None, "rank 1 died of exit status 3"),
    ],
)
def test_a_rank_that_was_killed_says_by_what(exit_code: int, name: str | None, words: str) -> None:
    error = ProcessExitedException(
        "", error_index=1, error_pid=7, exit_code=exit_code, signal_name=name
    )
    assert str(ranks.died(error)) == words
