"""Learning curves of the final job, from the files of its fits."""

from pathlib import Path

from matplotlib.figure import Figure

from lightning_hpo import plots
from lightning_hpo.protocol.files import written_object
from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.metrics import read_curves
from lightning_hpo.protocol.stages import curve_keys, recorded_stages


def learning_curves(final_dir: Path, *, noise_floor: float | None) -> dict[str, Figure]:
    """Every metric that was logged by epoch in training or validation; none when none was."""
    final = FinalFolder(final_dir)
    folders = final.folds()
    folds = [_curves(folder) for folder in folders]
    refit = _curves(final.refit)
    keys = sorted({key for fold in (*folds, refit) for key in fold})
    if not keys:
        return {}
    best_epochs = [written_object(folder.result)["best_epoch"] for folder in folders]
    figure = plots.learning_curves(
        {key: [f[key] for f in folds if key in f] for key in keys},
        refit={key: refit[key] for key in keys if key in refit},
        best_epochs=best_epochs or None,
        noise_floor=noise_floor,
    )
    return {"learning_curves": figure}


def holdout_curves(final_dir: Path, *, noise_floor: float | None) -> dict[str, Figure]:
    """The fit without early stopping, where it was done, with the epochs of the refit marked."""
    final = FinalFolder(final_dir)
    if not final.holdout.path.is_dir():
        return {}
    found, refit = written_object(final.holdout.result), _curves(final.refit)
    figure = plots.learning_curves(
        {key: [values] for key, values in _curves(final.holdout).items()},
        best_epochs=[found["best_epoch"]],
        noise_floor=noise_floor,
        stop_epochs=max(map(len, refit.values()), default=None),
        title=f"Best parameters on {100 * (1 - found['val_fraction']):.0f} % of the training data,"
        " no early stopping",
    )
    return {"learning_curves_holdout": figure}


def _curves(folder: JobFolder) -> dict[str, list[float]]:
    """``stage/quantity`` -> one value an epoch, by the stages that the fit's result records."""
    if not folder.metrics.is_file():
        # Nothing was logged.
        return {}
    curves = read_curves(folder.metrics)
    stages = recorded_stages(written_object(folder.result), curves)
    # A test is a single value, also where a fit logged nothing else.
    of_training = {name: stages[name] for name in curves if stages.get(name) in ("train", "val")}
    keys = curve_keys(of_training)
    return {key: curves[name] for name, key in sorted(keys.items(), key=lambda pair: pair[1])}
