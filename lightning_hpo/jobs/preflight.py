"""What can be known before any training: data, device, folds, model, Trainer and monitor."""

import copy
import logging
from collections.abc import Iterator
from functools import partial

from omegaconf import DictConfig, OmegaConf

from lightning_hpo import flavour
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.labels import are_truth_values
from lightning_hpo.data.leaks import require_test_apart
from lightning_hpo.data.resplit import parts_of
from lightning_hpo.errors import UserError
from lightning_hpo.explain.trials import can_be_shown
from lightning_hpo.fitting import arguments, build, observers, splits, stack_members, stackable
from lightning_hpo.fitting.boundary import lightning_mistakes
from lightning_hpo.fitting.plan import TrialPlan, n_folds
from lightning_hpo.fitting.row_weights import require_weighed
from lightning_hpo.flavour import pl
from lightning_hpo.jobs import objective
from lightning_hpo.jobs.first_batch import rehearse
from lightning_hpo.jobs.fit_facts import device_name
from lightning_hpo.jobs.rehearsal import rehearse_refit
from lightning_hpo.jobs.tested_shapes import check_test_batches
from lightning_hpo.models.regression import BaseRegressor
from lightning_hpo.protocol.messages import Facts, JobContext


@lightning_mistakes()
def run_preflight(cfg: DictConfig, context: JobContext) -> Facts:
    """Build everything once and rehearse a fit; raises :class:`UserError` for mistakes."""
    build.check_accelerator(cfg)
    plan = TrialPlan.of(cfg)
    if plan.stacked:
        stackable.checked_stopping(cfg)
    if cfg.study.final and cfg.cv.final:
        last = n_folds(partial(OmegaConf.select, cfg)) - 1
        build.data_module(cfg, splits.final_split(cfg, last))
    if cfg.study.final and cfg.cv.get("final_holdout"):
        build.data_module(cfg, splits.holdout_split(cfg))
    if cfg.study.get("nested"):
        _build_outer_fold(cfg)
    if cfg.study.final and arguments.keeps_its_split(cfg.data):
        parts = parts_of(build.data_module(cfg, splits.refit_split(cfg)))
        if parts is not None:
            require_test_apart(parts)
    pl.seed_everything(cfg.seed, verbose=False)
    data = build.data_module(cfg, splits.search_split(cfg, plan.n_folds - 1))
    # Lightning announces devices at every Trainer; once in the log of the first trial is enough.
    logging.getLogger(flavour.name()).setLevel(logging.WARNING)
    module = build.module(cfg, data)
    if plan.stacked:
        stack_members.member_of(module, data, cfg.seed, epochs=1)
    else:
        require_weighed(module, data)
    _require_test(cfg, module)
    rehearsed = rehearse(cfg, module, data, context.folder)
    objective.require_logged(plan.objectives, [*rehearsed.stages, *objective.OF_EVERY_FIT])
    refit_needs_validation = rehearse_refit(cfg, data)
    description = told.description(data)
    remarks = [
        _two_classes(module, data),
        check_test_batches(module, data) if cfg.study.final else None,
        *description.get("warnings", ()),
    ]
    # Last: what is told there, such as an experiment's name, stays.
    observers.check_loggers(cfg, context.folder)
    return Facts(
        data_name=told.name(data),
        data_sha256=told.checksum(data),
        n_samples=data.n_free if isinstance(data, TensorDataModule) else None,
        device=device_name(rehearsed.trainer),
        noise_variance=told.noise_variance(data),
        unread=arguments.unread(cfg),
        defaults=arguments.defaults(cfg),
        can_be_shown=can_be_shown(module, data),
        refit_needs_validation=refit_needs_validation,
        notes=tuple(_handed_over(cfg, data)),
        remarks=tuple(filter(None, remarks)),
        description=description,
        class_names=tuple(told.class_names(data, told.num_classes(data))),
    )


def _two_classes(module: pl.LightningModule, data: pl.LightningDataModule) -> str | None:
    """That a regressor of ours has targets that look like classes; None: they do not."""
    if not (isinstance(module, BaseRegressor) and isinstance(data, TensorDataModule)):
        return None
    if not are_truth_values(data.targets("train").cpu().numpy()):
        return None
    return (
        f"every target is 0 or 1, and {type(module).__name__} fits them as numbers, by squared"
        " error; if they are two classes, use a classifier on data with integer labels"
    )


def _build_outer_fold(cfg: DictConfig) -> None:
    """The last outer fold, as the study of it will split it."""
    of_fold = copy.deepcopy(cfg)
    n_outer = int(cfg.study.nested)
    OmegaConf.update(of_fold, "study.outer_fold", n_outer - 1, force_add=True)
    OmegaConf.update(of_fold, "study.outer_folds", n_outer, force_add=True)
    for split in (splits.search_split(of_fold, 0), splits.refit_split(of_fold)):
        build.data_module(of_fold, split)


def _require_test(cfg: DictConfig, module: pl.LightningModule) -> None:
    """Samples that are held out are looked at by the module's test, and by nothing else."""
    has_test = pl.utilities.model_helpers.is_overridden("test_step", module)
    if (splits.held(cfg).holds or cfg.study.get("nested")) and not has_test:
        raise UserError(
            "samples that are held out are for the module's test, but"
            f" {type(module).__name__} has no test_step; give it one, or leave out data.lock_box"
            " and study.nested."
        )


def _handed_over(cfg: DictConfig, data: pl.LightningDataModule) -> Iterator[str]:
    """What the constructors of data and model were handed of ours, in words."""
    of_data = ("split", "augment", "seed")
    scheduler = ["scheduler"] if cfg.get("scheduler") else []
    of_model = ("optimizer", *scheduler, *told.for_module(data))
    for node, names in ((cfg.data, of_data), (cfg.model, of_model)):
        ours = dict.fromkeys(names, lambda: None)
        given = arguments.handed(node, ours, offered=arguments.offered(cfg))
        yield f"{node._target_} is handed {', '.join(given) or 'nothing'} (study.hand_over)"
