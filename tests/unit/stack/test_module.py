"""The stack under a Trainer: groups end one by one, by stopping, pruning or divergence."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
import torch
from quiet import quiet_trainer
from torch import optim

from lightning_hpo.errors import NonFiniteLoss
from lightning_hpo.models.mlp import MLPRegressor
from lightning_hpo.protocol.outputs import OutputsByEpoch
from lightning_hpo.stack.module import Group, StackedFit
from lightning_hpo.stack.regression import RegressionMember
from lightning_hpo.stack.training import Stopping


def member(seed: int, lr: float = 0.02) -> RegressionMember:
    torch.manual_seed(seed)
    module = MLPRegressor(neurons=(6,))
    x, val_x = torch.randn(12, 1), torch.randn(5, 1)
    samples = [(part, torch.sin(part[:, 0])) for part in (x, val_x)]
    return RegressionMember(
        module.network, optim.SGD(module.parameters(), lr=lr), 0.0, seed, *samples
    )


def fit(*groups: Group, epochs: int = 40, **options) -> StackedFit:
    module = StackedFit(
        groups,
        epochs=epochs,
        **{"epochs_per_step": 10, "stopping": Stopping(), **options},
    )
    trainer = quiet_trainer(
        max_epochs=1,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )
    trainer.fit(module)
    return module


def test_a_report_after_each_step_is_the_mean_of_the_best_losses_so_far():
    told = []
    group = Group([member(0), member(1)], lambda epoch, value: told.append((epoch, value)))

    fit(group)

    assert [epoch for epoch, _ in told] == [9, 19, 29, 39]
    for epoch, value in told:
        best = [val[: epoch + 1].min() for val in group.val]
        assert value == pytest.approx(np.mean(best))


# Rule: a pruned group leaves at the end of its step, with its losses so far; the others go on.
def test_a_pruned_group_leaves_and_the_others_go_on():
    def prune(epoch: int, value: float) -> None:
        if epoch == 19:
            raise optuna.TrialPruned("not close to the best")

    pruned, other, ended = Group([member(0), member(1)], prune), Group([member(2)]), []

    fit(pruned, other, on_end=ended.append)

    assert ended == [pruned, other]
    assert isinstance(pruned.error, optuna.TrialPruned)
    assert [len(losses) for losses in (*pruned.val, *other.val)] == [20, 20, 40]
    assert other.error is None


def test_a_diverged_group_says_what_became_what_and_where():
    diverged, other = Group([member(0), member(1, lr=1e9)]), Group([member(2)])

    fit(diverged, other)

    assert isinstance(diverged.error, NonFiniteLoss)
    assert str(diverged.error).startswith("train/loss became ")
    assert str(diverged.error).endswith(" (fold 1)")
    epoch = int(str(diverged.error).split()[-3]) - 1  # told from 1, stored from 0
    assert np.isfinite(diverged.train[1][:epoch]).all()
    assert not np.isfinite(diverged.train[1][epoch])
    assert (other.error, len(other.val[0])) == (None, 40)


# Rule: a fold that has stopped leaves the stack; when all have, the fit ends.
def test_the_fit_ends_with_its_last_network():
    group = Group([member(0), member(1, lr=0.0)])

    module = fit(group, epochs=1000, stopping=Stopping(patience=5))

    assert group.finished[1].epochs == 6
    longest = max(end.epochs for end in group.finished.values())
    assert module.stack.epoch == -(-longest // 10) * 10
    assert [len(losses) for losses in group.train] == [e.epochs for e in _ends(group)]


def _ends(group: Group):
    return [group.finished[member] for member in range(len(group.members))]


# Rule: how many epochs a step has decides when others look, never what is trained.
def test_the_length_of_a_step_does_not_change_the_result():
    groups = [Group([member(0), member(1)]) for _ in range(2)]
    for group, epochs_per_step in zip(groups, (1, 40), strict=True):
        fit(group, epochs_per_step=epochs_per_step, stopping=Stopping(patience=5))

    assert _ends(groups[0]) == _ends(groups[1])
    for a, b in zip(groups[0].val, groups[1].val, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_last_step_may_be_shorter():
    group = Group([member(0)])
    fit(group, epochs=25)
    assert len(group.train[0]) == 25


# Rule: what a network gave in a validation is what its loss there is of, without the samples that
# fill up the stack and without the epochs behind its end.
def test_each_member_tells_its_outputs_by_epoch() -> None:
    short = replace(member(1), val=(torch.zeros(2, 1), torch.zeros(2)))
    found = [OutputsByEpoch(), OutputsByEpoch()]
    group = Group([member(0), short], outputs=found)
    stopping = Stopping(patience=2, validate_every=2, min_delta=1.0)
    fit(group, Group([member(2)]), epochs=20, stopping=stopping)
    for of, outputs in zip(group.members, found, strict=True):
        assert of.val is not None
        assert list(outputs.by_epoch) == [1, 3, 5]
        target = of.val[1].numpy()
        losses = [((output - target) ** 2).mean() for output in outputs.by_epoch.values()]
        assert losses == pytest.approx(group.val[group.members.index(of)][1::2], rel=1e-5)
