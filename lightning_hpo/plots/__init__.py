"""Figures from arrays: pure functions that return a ``matplotlib.figure.Figure``.

No pyplot, hence no global state and nothing to close. Figures are at most 8 inches wide, so that
their text is readable at 800 pixels. Colours are the Okabe-Ito set and maps that survive colour
blindness and grey printing; a diverging map is always symmetric about zero.

Shapes: N samples, C channels, H x W pixels, K classes, F folds, E epochs, G points of a grid of
inputs, L neurons of a layer.
"""

from lightning_hpo.plots.augmented import augmented_samples
from lightning_hpo.plots.classification import (
    confident_mistakes,
    confused_pairs,
    confusion_matrix,
)
from lightning_hpo.plots.curves import learning_curves
from lightning_hpo.plots.feature_maps import feature_maps
from lightning_hpo.plots.images import attribution_panel, filters, grad_cam_panel
from lightning_hpo.plots.layers import hidden_activations, weight_histograms
from lightning_hpo.plots.regression import fitted_curve, predicted_against_true, residuals
from lightning_hpo.plots.reliability import reliability
from lightning_hpo.plots.style import rendered, save_png
from lightning_hpo.plots.trials import (
    trial_curves,
    trial_maps,
    trial_predictions,
    trial_probabilities,
)

__all__ = [
    "attribution_panel",
    "augmented_samples",
    "confident_mistakes",
    "confused_pairs",
    "confusion_matrix",
    "feature_maps",
    "filters",
    "fitted_curve",
    "grad_cam_panel",
    "hidden_activations",
    "learning_curves",
    "predicted_against_true",
    "reliability",
    "rendered",
    "residuals",
    "save_png",
    "trial_curves",
    "trial_maps",
    "trial_predictions",
    "trial_probabilities",
    "weight_histograms",
]
