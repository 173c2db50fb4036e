"""Some trials of the search side by side: the network of each, then all drawn into one figure.

A small network was kept when its trial ended. Any other trial is fitted again from its own folder:
with its configuration, its seed, its split and its threads, hence to the same bits, a pruned one
for as many epochs as it lived. One job a trial leaves its network in ``final/showcase_<role>``, and
one more draws.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
import torch
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState
from torch.utils.tensorboard import SummaryWriter

from lightning_hpo.callbacks.progress import EpochProgress
from lightning_hpo.callbacks.records import KeptWeights, copied
from lightning_hpo.callbacks.reporting import PruningCallback
from lightning_hpo.explain.attempts import failure
from lightning_hpo.explain.trials import ShownTrial, can_be_shown, trials_side_by_side
from lightning_hpo.fitting import build, splits
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.fitting.provenance import recorded
from lightning_hpo.fitting.serial import fit
from lightning_hpo.flavour import pl
from lightning_hpo.jobs import kept_network, objective
from lightning_hpo.jobs.again import PlayedAgain
from lightning_hpo.jobs.kept_network import TrialNetwork
from lightning_hpo.jobs.retries import lineage
from lightning_hpo.jobs.stacked_trial import StackedTrial, run_stacked
from lightning_hpo.plots import save_png
from lightning_hpo.protocol.files import write_json, written_object
from lightning_hpo.protocol.folder import FinalFolder, JobFolder, StudyFolder
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.parts import ROLES
from lightning_hpo.protocol.seeds import derive_seed
from lightning_hpo.storage.recorded import trials_beside

log = logging.getLogger(__name__)

FIGURE = "trials_side_by_side"


def run_showcase(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Find the network of trial ``study.trial_number``, or without a number draw those found."""
    final_dir = context.folder.parent
    if cfg.study.trial_number is None:
        return _write(context.folder, draw(final_dir, context.folder))
    found = show(final_dir.parent, int(cfg.study.trial_number), context.folder)
    return _write(context.folder, found)


def show(study_dir: Path, number: int, folder: Path) -> dict[str, Any]:
    """Leave the network of trial ``number`` in ``folder``; what was told of it and is found now.

    Of several folds the first one's network. Nothing is looked for where data have no figure.
    """
    trial = StudyFolder(study_dir).trial(number)
    cfg = OmegaConf.load(trial.config)
    assert isinstance(cfg, DictConfig)
    trials = trials_beside(trial.path, study_dir)
    told, plan, started_s = trials[number], TrialPlan.of(cfg), time.monotonic()
    found = {"number": number, "state": told.state.name, "told": told.value, "monitor": cfg.monitor}
    with recorded(cfg, folder), _threads_of(trial):
        data = build.data_module(cfg, splits.search_split(cfg, 0))
        if not can_be_shown(build.module(cfg, data), data):
            return {**found, "is_shown": False, "value": told.value, "epochs": 0, "seconds": 0.0}
        context = JobContext(folder, dict(told.params))
        origin = lineage(trials, number)[-1]
        network = kept_network.stored(trial) or _again(cfg, plan, context, told, origin=origin)
    torch.save(network.weights, JobFolder(folder).network)
    seconds = time.monotonic() - started_s
    return {
        **found,
        "is_shown": True,
        "value": network.value,
        "epochs": network.epochs,
        "n_folds": plan.n_folds,
        "seconds": seconds,
    }


def _again(
    cfg: DictConfig, plan: TrialPlan, context: JobContext, told: FrozenTrial, *, origin: int
) -> TrialNetwork:
    live = None
    if told.state is TrialState.PRUNED and _ended_in_first_fit(plan, told):
        notes = JobFolder(context.folder).reported
        # Of a try that was interrupted.
        notes.unlink(missing_ok=True)
        live = PlayedAgain(notes, n_values=len(told.intermediate_values))
    if plan.stacked:
        return _stacked_again(cfg, context, live, origin=origin)
    # The network of the epoch by which the trial was told.
    at_end = live is not None or plan.scheduled
    kept = KeptWeights(monitor=cfg.monitor, mode=cfg.mode, latest=at_end)
    told_live = EpochProgress(context.folder, monitor=cfg.monitor)
    reporters = [] if live is None else [PruningCallback(live, monitor=cfg.monitor)]
    seed = derive_seed(cfg.seed, "trial", origin, 0)
    with suppress(optuna.TrialPruned):
        result = fit(cfg, splits.search_split(cfg, 0), seed, context, [kept, told_live, *reporters])
        return TrialNetwork(objective.value_of(result, plan), result.epochs, kept.weights)
    assert kept.latest_value is not None and live is not None
    return TrialNetwork(kept.latest_value, len(live.values()), kept.weights)


def _ended_in_first_fit(plan: TrialPlan, told: FrozenTrial) -> bool:
    """Whether it was pruned before the fold that is shown had ended."""
    if plan.serial_folds == 1 or not plan.steps_per_fold:
        return True
    return max(told.intermediate_values) in plan.steps_of(0)


def _stacked_again(
    cfg: DictConfig, context: JobContext, live: PlayedAgain | None, *, origin: int
) -> TrialNetwork:
    """All folds, since a network's last bits depend on those beside it in the stack."""
    trial = StackedTrial(cfg, context, live, origin=origin)
    weights = trial.fits.folds[0].module.state_dict()
    with suppress(optuna.TrialPruned):
        result = run_stacked(trial)
        return TrialNetwork(result.value, result.fits[0].epochs, copied(weights))
    assert live is not None
    values = live.values()
    return TrialNetwork(values[max(values)], max(values) + 1, copied(weights))


@contextmanager
def _threads_of(trial: JobFolder) -> Iterator[None]:
    """As many CPU threads as the trial had: sums of another order differ in their last bits."""
    before, provenance = torch.get_num_threads(), OmegaConf.load(trial.provenance)
    torch.set_num_threads(int(provenance.threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def draw(final_dir: Path, folder: Path) -> dict[str, Any]:
    """Draw the trials that were fitted into ``final/figures`` and TensorBoard; their numbers."""
    final = FinalFolder(final_dir)
    folders = {role: final.job(f"showcase_{role}") for role in ROLES}
    done = {role: folder.result for role, folder in folders.items() if folder.result.is_file()}
    results = {role: written_object(path) for role, path in done.items()}
    shown = {role: result for role, result in results.items() if result["is_shown"]}
    if not shown:
        return {"trials": {}}
    n_folds = max(result["n_folds"] for result in shown.values())
    numbers = {role: result["number"] for role, result in shown.items()}

    def draw_them() -> None:
        trials = [_shown(role, result, folders[role]) for role, result in shown.items()]
        figure = trials_side_by_side(trials, n_folds=n_folds)
        pixels_hwc = save_png(figure, final.figures / f"{FIGURE}.png")
        with SummaryWriter(str(folder)) as writer:
            writer.add_image(FIGURE, pixels_hwc, dataformats="HWC")

    reason = failure(draw_them)
    if reason is None:
        return {"trials": numbers}
    log.warning(f"figure {FIGURE} is left out: {reason}")
    return {"trials": numbers, "left_out": {FIGURE: reason}}


def _shown(role: str, result: dict[str, Any], folder: JobFolder) -> ShownTrial:
    cfg = OmegaConf.load(folder.config)
    assert isinstance(cfg, DictConfig)
    data = build.data_module(cfg, splits.search_split(cfg, 0))
    pl.seed_everything(cfg.seed, verbose=False)
    module = build.module(cfg, data)
    module.load_state_dict(torch.load(folder.network, weights_only=True))
    return ShownTrial(label(role, result), module.eval(), data)


def label(role: str, result: dict[str, Any]) -> str:
    """What stands beside a trial's pictures, in three lines."""
    ended = "pruned after" if result["state"] == "PRUNED" else "completed,"
    epochs = f"{result['epochs']:,} epoch{'s' if result['epochs'] != 1 else ''}"
    name = f"trial {result['number']}" if role == "pruned" else f"{role}: trial {result['number']}"
    mean = "mean " if result["n_folds"] > 1 else ""
    return f"{name}\n{ended} {epochs}\n{mean}{result['monitor']} {result['told']:.4g}"


def _write(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    write_json(JobFolder(folder).result, result)
    return result
