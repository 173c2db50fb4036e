"""From a study's folder to what predicts by its final network: checkpoint, data, temperature."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.errors import UserError, with_type
from lightning_hpo.jobs.stored_network import from_checkpoint
from lightning_hpo.protocol.files import stored_config, stored_object
from lightning_hpo.protocol.folder import FinalFolder, StudyFolder

# What can be refused without torch is refused at once, and the flavour of Lightning is settled
# before any class of ours derives from it.
if TYPE_CHECKING:
    from lightning_hpo.data.base import TensorDataModule
    from lightning_hpo.jobs.predictor import Predictor


def predictor(
    study_dir: Path,
    *,
    ensemble: bool,
    trusted: bool,
    way_out: str,
    batch_size: int = 1000,
) -> "Predictor":
    """Of the study in ``study_dir``; raises :class:`UserError` where it has no such network.

    See :func:`lightning_hpo.jobs.stored_network.from_checkpoint` for the arguments.
    """
    final = StudyFolder(study_dir).final
    part = "ensemble" if ensemble else "model"
    why = (stored_object(final.ensemble.result) or {}).get("no_model")
    module = from_checkpoint(study_dir, part, trusted=trusted, way_out=way_out, no_ensemble=why)
    from lightning_hpo.jobs.predictor import Predictor
    from lightning_hpo.protocol.samples import read_samples

    data = _data(stored_config(final.refit.config, "data"), final.checkpoint)
    kept = read_samples(final.refit.samples)
    return Predictor(
        module,
        data,
        temperature=1.0 if ensemble else _temperature(final),
        kind=None if kept is None else kept.kind,
        batch_size=batch_size,
    )


def _temperature(final: FinalFolder) -> float:
    """1 where none was fitted."""
    found = (stored_object(final.calibration) or {}).get("temperature")
    return float(found) if isinstance(found, int | float) and found > 0 else 1.0


def _data(cfg: DictConfig, checkpoint: Path) -> "TensorDataModule | None":
    """As they are built for the study, without reading anything, in the state of the network's.

    None where the data are no ``TensorDataModule``, so that nobody else knows what they do.
    """
    from lightning_hpo.composition.instantiate import make, target_of
    from lightning_hpo.data.base import TensorDataModule
    from lightning_hpo.data.folds import Split
    from lightning_hpo.fitting import arguments

    given: Any = OmegaConf.to_container(cfg.data, resolve=True)
    node = OmegaConf.create({key: value for key, value in given.items() if key != "lock_box"})
    ours = {"split": lambda: Split(method="none"), "augment": lambda: None, "seed": lambda: 0}
    try:
        kind = target_of(node)
        # What a function makes is known when it is made.
        if isinstance(kind, type) and not issubclass(kind, TensorDataModule):
            return None
        data = make(node, **arguments.handed(node, ours))
        if not isinstance(data, TensorDataModule):
            return None
        data.load_state_dict(_state(checkpoint, type(data).__qualname__))
    except UserError:
        raise
    # The data module may be the user's own.
    except Exception as error:
        raise UserError(
            f"{cfg.data._target_} must be made as in the study, and take the state in {checkpoint},"
            f" but: {with_type(error)}"
        ) from error
    return data


def _state(checkpoint: Path, name: str) -> dict[str, Any]:
    import torch

    # As code that the user trusts by now; classes of the user's own may be in it.
    stored: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=False)
    state: dict[str, Any] = stored[name]
    return state
