"""A lock box opened: the final network of a study tested on the samples that nothing has seen."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.composition.bases import let_import, settle_flavour
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.jobs.again import quietly_with
from lightning_hpo.protocol.files import is_whole_checkpoint, require_study_dir, stored_config
from lightning_hpo.protocol.folder import FinalFolder, StudyFolder
from lightning_hpo.storage.maker import require_own
from lightning_hpo.storage.recorded import require_exported

# What can be refused without torch is refused at once, and the flavour of Lightning is settled
# before any class of ours derives from it.
if TYPE_CHECKING:
    from lightning_hpo.flavour import pl
    from lightning_hpo.protocol.samples import Samples

_NEEDED = ("study", "data", "model", "trainer", "cv", "monitor", "seed")


@dataclass(frozen=True)
class Opened:
    """``metrics`` of the ``n_samples`` of the box; ``checkpoint``: SHA-256 of the network's file.

    ``losses``: of each sample, where ``loss``, one of the metrics, is their mean; else empty.
    """

    metrics: dict[str, float]
    n_samples: int
    checkpoint: str
    loss: str | None = None
    losses: Sequence[float] = ()


def require_box(study_dir: Path, *, trusted: bool, way_out: str) -> DictConfig:
    """The configuration of the study's final network; says in one line why it cannot be tested.

    ``trusted``, ``way_out``: see :func:`lightning_hpo.storage.maker.require_own`.
    """
    require_study_dir(study_dir)
    require_own(study_dir, trusted=trusted, way_out=way_out)
    final = StudyFolder(study_dir).final
    if not is_whole_checkpoint(final.checkpoint) or not final.refit.config.exists():
        raise UserError(
            "a lock box is opened for the network that the final job leaves, but"
            f" {final.checkpoint} is missing or damaged; run the study's command again with"
            " study.final=true."
        )
    cfg = stored_config(final.refit.config, *_NEEDED)
    if OmegaConf.select(cfg, "data.lock_box") is None:
        raise UserError(
            f"a lock box is set aside before a study begins, but {study_dir} has none; start a new"
            " study with data.lock_box=0.1."
        )
    if cfg.study.get("outer_fold") is not None:
        raise UserError(
            "a lock box is opened for a whole study, but the one in"
            f" {study_dir} is of an outer fold of another; name that one's folder."
        )
    require_exported(final.refit.config.read_text(encoding="utf-8"))
    return cfg


def opened(study_dir: Path, cfg: DictConfig) -> Opened:
    """Test the network of ``cfg`` on the lock box; raises :class:`UserError` where it cannot be."""
    final = StudyFolder(study_dir).final
    let_import(StudyFolder(study_dir).code)
    settle_flavour(cfg)
    import torch

    # Lightning sets the level of its logger, which is quietened here, when it is imported.
    from lightning_hpo.fitting import build  # noqa: F401
    from lightning_hpo.machine.denormals import denormals_as_zero

    with denormals_as_zero(), quietly_with(torch.get_num_threads()):
        data = _data(cfg, final)
        module = _network(cfg, data, final.checkpoint)
        metrics, n_samples, samples = _tested(cfg, module, data)
    digest = hashlib.sha256(final.checkpoint.read_bytes()).hexdigest()
    if samples is None or samples.metric is None:
        return Opened(metrics, n_samples, digest)
    return Opened(metrics, n_samples, digest, samples.metric, samples.loss.tolist())


def _data(cfg: DictConfig, final: FinalFolder) -> "pl.LightningDataModule":
    """As the refit had them, with the box in the place of the test data."""
    from lightning_hpo.data.told import checksum
    from lightning_hpo.fitting import build, splits

    split = splits.refit_split(cfg)
    split = replace(split, held=replace(split.held, tested="lock_box"))
    try:
        data = build.data_module(cfg, split)
    except UserError:
        raise
    # The data module may be the user's own, and its files may be gone.
    except Exception as error:
        raise UserError(
            f"the data must be there as the study had them, but: {with_type(error)}; relative paths"
            f" start at {Path.cwd()}."
        ) from error
    recorded = stored_config(final.refit.provenance).get("data_sha256")
    if recorded is not None and checksum(data) != recorded:
        raise UserError(
            "the data must be those of the study, but their checksum differs from the one in"
            f" {final.refit.provenance}: others would be in the box, such as the network has seen."
        )
    return data


def _network(
    cfg: DictConfig, data: "pl.LightningDataModule", checkpoint: Path
) -> "pl.LightningModule":
    import torch

    from lightning_hpo.fitting import build

    module = build.module(cfg, data)
    try:
        stored: Any = torch.load(checkpoint, map_location="cpu", weights_only=False)
        module.on_load_checkpoint(stored)
        module.load_state_dict(stored["state_dict"])
    except (RuntimeError, KeyError, ImportError, AttributeError, UnpicklingError) as error:
        raise UserError(
            f"{cfg.model._target_} must open the checkpoint that it left, {checkpoint}, but:"
            f" {with_type(error)}"
        ) from error
    return module


def _tested(
    cfg: DictConfig, module: "pl.LightningModule", data: "pl.LightningDataModule"
) -> tuple[dict[str, float], int, "Samples | None"]:
    """The metrics of the test, of how many samples they are, and what each gave, where clear."""
    from lightning_hpo.data.resplit import parts_of
    from lightning_hpo.fitting import build
    from lightning_hpo.jobs.final_test import run_test
    from lightning_hpo.protocol.samples import read_samples

    alone: dict[str, Any] = {"devices": 1, "strategy": "auto", "num_nodes": 1, "logger": False}
    with TemporaryDirectory(prefix="lightning_hpo_") as folder:
        trainer = build.trainer(cfg, Path(folder), [], **alone)
        file = Path(folder) / "samples.npz"
        tested = run_test(trainer, module, data, file)
        samples = read_samples(file)
    if tested.no_test is not None:
        raise UserError(f"a lock box is opened by the study's own test, but {tested.no_test}.")
    of_data: Any = parts_of(data) or data
    return tested.test, len(of_data.apart.lock_box), samples
