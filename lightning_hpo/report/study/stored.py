"""The figures that the final job stored, with their captions, which are also alternative texts."""

from collections.abc import Callable
from pathlib import Path

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report.html.markup import figure, paragraphs, read_png
from lightning_hpo.results.record import Record

ERROR_FIGURES = (
    "confusion_matrix",
    "confused_pairs",
    "mistakes",
    "reliability",
    "predicted_against_true",
    "residuals",
    "learning_curves",
    "learning_curves_holdout",
)
SEARCH_FIGURES = ("trials_side_by_side",)
CAPTIONS = {
    "fit": "What the final network predicts over its input (black), beside the training and the "
    "test samples. The band spans the networks of the folds, each as it was at its own best epoch, "
    "under a schedule at its last one; the dashed curve is the truth without noise, where the data "
    "know it.",
    "confusion_matrix": "Confusion matrix of the final model on the test set: each row is a true "
    "class, each column what the model took it for.",
    "confused_pairs": "The classes that the final model confuses most, and how often it took the "
    "one for the other on the test set.",
    "mistakes": "Test samples that the final model got wrong with the greatest confidence, and "
    "Grad-CAM's view of what spoke for the class that it took them for, and for the true one.",
    "reliability": "How often the final network is right at each confidence, as it is and with the "
    "temperature that the folds' held-out samples chose. On the dashed line it is right as often "
    "as it says.",
    "predicted_against_true": "Predicted against true values of the training and of the test "
    "samples: a perfect model has them all on the line.",
    "residuals": "What is predicted too much or too little over the predicted values, of the "
    "training and of the test samples: a good model's errors lie evenly about the line.",
    "learning_curves": "Learning curves of the folds and of the final fit: training and "
    "validation over the epochs.",
    "learning_curves_holdout": "Learning curves of the best parameters on a part of the training "
    "data, without early stopping: training and validation over all epochs.",
    "grad_cam": "Grad-CAM: where in each sample the last convolutional layer whose map is larger "
    "than a pixel finds what speaks for the predicted class, and below a mistake what speaks for "
    "the true one.",
    "feature_maps": "One sample in each convolutional layer: what its filters put out.",
    "augmented_samples": "Training samples as they are, and as the augmentation changed them for "
    "the network to see.",
    "activations": "Activations of the last hidden layer: one row for each neuron, the darker, the "
    "stronger it answers to an input. Below the line stand dead neurons, if there are any.",
    "trials_side_by_side": "The best, the median and a pruned trial, each fitted once more as it "
    "was, on the same validation samples; of classes rather such as the networks disagree on.",
    "weight_histograms": "Weights of each layer before (line) and after training (area).",
}


def stored_figures(folder: Path, chosen: Callable[[str], bool], nothing: str) -> str:
    """The PNG files in ``folder`` whose stem is chosen, as HTML; ``nothing`` if there are none."""
    html = ""
    for path in sorted(folder.glob("*.png"), key=_reading_order):
        if chosen(path.stem):
            caption = _caption(path.stem)
            picture = read_png(path, alt=caption, caption=caption)
            html += (
                figure(picture, css="stored")
                if picture
                else paragraphs([f"{path.name} is damaged and is not shown."])
            )
    return html or paragraphs([nothing])


def _reading_order(path: Path) -> tuple[int, int, str]:
    """Known pictures first, in the order of their captions; filters_10 after filters_2."""
    known = list(CAPTIONS)
    rank = known.index(path.stem) if path.stem in known else len(known)
    return rank, len(path.stem), path.stem


def _caption(stem: str) -> str:
    kind, _, layer = stem.rpartition("_")
    if kind == "filters" and layer.isdigit():
        return f"Filters of convolutional layer {layer}."
    return CAPTIONS.get(stem, f"{stem.replace('_', ' ').capitalize()}.")


def figures_of(record: Record) -> Path:
    return StudyFolder(record.folder).final.figures
