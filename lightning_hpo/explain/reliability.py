"""The calibration of a final job's network: fitted on its folds, measured on its test, drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lightning_hpo import plots
from lightning_hpo.explain.calibration import (
    N_BINS,
    bins_of,
    calibration_error,
    change_of_loss,
    confidence_and_hits,
    fitted_temperature,
)
from lightning_hpo.protocol.files import stored_object, write_json
from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.samples import Samples, read_samples


def calibrate(final: FinalFolder, *, classes: bool = False) -> dict[str, Any] | None:
    """Write ``calibration.json`` and return what it holds; None but for classes and folds.

    The temperature is that of all folds' held-out logits, which no network was trained on. Of the
    test samples, which have no part in it, ``test_loss`` is the ``change`` of the cross-entropy
    with its 95 % interval, ``low`` to ``high``. ``classes``: the data say that they have some, so
    that it matters ``why`` there is no temperature.
    """
    final.calibration.unlink(missing_ok=True)
    folds = [fold for fold in final.folds() if fold.result.is_file()]
    held_out, tested = _held_out(folds), _of_classes(read_samples(final.refit.samples))
    if held_out is None:
        matters = folds and (classes or tested is not None)
        return {"temperature": None, "why": _why_not(folds)} if matters else None
    temperature = fitted_temperature(*held_out)
    test = None
    errors = {"held_out": _errors(*held_out, temperature)}
    if tested is not None:
        errors["test"] = _errors(tested.output, tested.target, temperature)
    if tested is not None and len(tested.target) > 1:
        change, low, high = change_of_loss(tested.output, tested.target, temperature)
        test = {"change": change, "low": low, "high": high}
    found = {"temperature": temperature, "ece": errors, "test_loss": test}
    write_json(final.calibration, found)
    return found


def _held_out(folds: Sequence[JobFolder]) -> tuple[Any, Any] | None:
    """Logits (N, K) and classes (N,) of all folds; None where one has left none."""
    kept = [_of_classes(read_samples(fold.samples)) for fold in folds]
    whole = [samples for samples in kept if samples is not None]
    if not whole or len(whole) < len(kept) or len({of.output.shape[1] for of in whole}) > 1:
        return None
    return np.concatenate([of.output for of in whole]), np.concatenate([of.target for of in whole])


def _why_not(folds: Sequence[JobFolder]) -> str:
    for fold in folds:
        if _of_classes(read_samples(fold.samples)) is None:
            reason = (stored_object(fold.result) or {}).get("no_samples")
            return f"{fold.path.name} kept no logits" + (f": {reason}" if reason else "")
    return "the folds have different classes"


def _of_classes(samples: Samples | None) -> Samples | None:
    """Samples of classes whose logits are numbers."""
    if samples is None or samples.kind != "cross_entropy":
        return None
    return samples if np.isfinite(samples.output).all() else None


def _errors(logits_nk: Any, target_n: Any, temperature: float) -> dict[str, float]:
    before, after = (
        calibration_error(*confidence_and_hits(logits_nk, target_n, t)) for t in (1.0, temperature)
    )
    return {"n": len(target_n), "before": before, "after": after}


def reliability_figure(final: FinalFolder) -> dict[str, Figure]:
    """``reliability``, of the test samples, else of the folds'; none without a calibration."""
    found = stored_object(final.calibration)
    if found is None:
        return {}
    tested = _of_classes(read_samples(final.refit.samples))
    samples = _held_out(final.folds()) if tested is None else (tested.output, tested.target)
    if samples is None:
        return {}
    names = {"as it is": 1.0, f"temperature {found['temperature']:.3g}": found["temperature"]}
    networks = {}
    for name, temperature in names.items():
        logits_nk, target_n = samples
        confidence, right = confidence_and_hits(logits_nk, target_n, temperature)
        networks[name] = (confidence, right, bins_of(confidence))
    where = "held-out samples of the folds" if tested is None else "test samples"
    title = f"Reliability on {len(samples[1]):,} {where}"
    return {"reliability": plots.reliability(networks, n_bins=N_BINS, title=title)}
