"""The last section: the words that the page uses, each in a sentence."""

from lightning_hpo.report.html.markup import definitions
from lightning_hpo.results.record import Record

WORDS = {
    "trial": "One set of values for the searched parameters, trained and judged, in every fold of"
    " the search if that has several.",
    "epoch": "One pass of the training over its samples; the first one is number 1.",
    "monitor": "The logged metric by which epochs and trials are judged, such as val/loss.",
    "objective": "The number by which trials are compared: the monitor at a trial's best epoch,"
    " under a learning-rate schedule at its last one, and over several folds the mean of that.",
    "pruned": "Ended early by the pruner, as a rule because its values were poor beside those that"
    " other trials had by then.",
    "failed": "Ended by an error, such as a loss that is no number; the search goes on without it.",
    "sampler": "What proposes the values of the next trial, by those of the trials before.",
    "fold": "One of the parts of the training samples: a network trains on the others and is judged"
    " by this one, and so in turn for each part.",
    "cross-validation": "Training and judging the chosen parameters once for each fold, which shows"
    " how much their value varies with the samples.",
    "race": "The best trials of a search are trained again in rounds, with new splits and seeds,"
    " fewer in each round; the best mean wins, which luck decides less than a single value.",
    "refit": "A network with the chosen parameters, trained on all training samples; the first one"
    " is the model, others show by how much the seed alone changes the test.",
    "test set": "Samples that no trial and no fold has seen; each refit opens them once.",
    "mean ± standard deviation": "What several folds or networks reach on average, and how far a"
    " single one typically lies from that.",
    "95 % interval": "The range that, made in this way, holds the true value in 95 of 100 cases.",
    "within noise": "Said of a difference where chance alone makes one as large in more than 5 of"
    " 100 cases.",
}

# Of another application's study nothing follows the search.
_OF_SEARCH = ("trial", "pruned", "failed", "sampler")


def content(record: Record) -> str:
    """The same on every page of ours; on another application's the words of a search alone."""
    words = {word: WORDS[word] for word in _OF_SEARCH} if record.is_guest else WORDS
    return definitions(words.items())
