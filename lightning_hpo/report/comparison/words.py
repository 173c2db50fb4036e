"""What a comparison concludes, in sentences: who leads, and which differences are noise."""

from collections.abc import Sequence
from statistics import fmean

from lightning_hpo.report.comparison.contest import Contest
from lightning_hpo.results.readings import test_value
from lightning_hpo.results.samples import (
    Row,
    counterpart_on_test,
    differences,
    reach_of_intervals,
    untested,
)
from lightning_hpo.results.statistics import Difference
from lightning_hpo.results.text import count, listing, number

WITHIN, BEYOND, UNKNOWN = "within noise", "more than noise", "cannot tell from noise"


def judged(found: Difference) -> str:
    """Whether a difference is within noise, in two or three words."""
    if found.low == float("-inf"):
        return UNKNOWN
    return WITHIN if found.within_noise else BEYOND


def basis(row: Row, metric: str) -> str:
    """What a row's values are: ``5 folds``, ``3 refits``, ``3 seeds`` or ``one value``.

    And on how many test samples, where these are known.
    """
    many, on_samples = len(row.values(metric)), row.on_samples(metric)
    kind = "seed" if row.over_seeds else "fold" if row.over_folds(metric) else "refit"
    if on_samples is not None:
        trained = "one network" if many == 1 else count(many, kind)
        return f"{trained}, {count(len(on_samples.index), 'sample')}"
    if many < 2:
        return "one value" if many else "none"
    return count(many, kind)


def headline(contest: Contest) -> str:
    """The comparison in one sentence or two, for the top of the page."""
    goals = list(contest.by_goal())
    if len(goals) > 1:
        asked = listing([goal.words for goal, _ in goals])
        return f"Studies with different goals, whose values do not compare: {asked}."
    goal, _ = goals[0]
    tested = counterpart_on_test(contest.rows, goal.monitor)
    metrics = [goal.monitor, *([tested] if tested else [])]
    leads = [lead(contest.rows, metric, minimize=goal.minimize) for metric in metrics]
    found = " ".join(filter(None, leads))
    return found or "Too few final jobs have run to tell which study is better."


def lead(rows: Sequence[Row], metric: str, *, minimize: bool) -> str:
    """Which row has the best mean, and whether it is ahead of the second by more than noise."""
    means = [(fmean(values), row) for row in rows if (values := row.values(metric))]
    ranked = sorted(means, key=lambda pair: pair[0], reverse=not minimize)
    if len(ranked) < 2:
        return ""
    (best, first), (next_best, second) = ranked[:2]
    two = {id(first), id(second)}
    found = next(d for a, b, d in differences(rows, metric) if {id(a), id(b)} == two)
    ahead = f"{first.name} has the {'lowest' if minimize else 'highest'} {metric}, {number(best)}"
    behind = f"{second.name} follows with {number(next_best)}"
    means_that = {
        BEYOND: "more than noise",
        WITHIN: "a difference within noise",
        UNKNOWN: "which cannot be told from noise",
    }
    return f"{ahead}; {behind}, {means_that[judged(found)]}."


def noise_summary(pairs: Sequence[tuple[Row, Row, Difference]], metric: str) -> str:
    """One sentence on all differences in a metric; for two rows also which is larger."""
    if not pairs:
        return f"{metric}: fewer than two studies have values."
    if len(pairs) == 1:
        return f"{metric}: {pair_words(*pairs[0])}."
    judgements = [judged(found) for *_, found in pairs]
    told = [
        f"{judgements.count(word)} {word}"
        for word in (BEYOND, WITHIN, UNKNOWN)
        if judgements.count(word)
    ]
    return f"{metric}: of {len(pairs)} differences {listing(told)}."


def pair_words(a: Row, b: Row, found: Difference) -> str:
    """``a lies 0.01 above b: within noise``."""
    if found.mean == 0:
        return f"{a.name} and {b.name} are equal"
    side = "above" if found.mean > 0 else "below"
    return f"{a.name} lies {number(abs(found.mean))} {side} {b.name}: {judged(found)}"


def reading_hints(contest: Contest) -> list[str]:
    """How the values of the tables are to be read."""
    kinds = reach_of_intervals(contest.rows, contest.metrics)
    sentences = [
        "Intervals are of Student's t: about 95 of 100 contain the mean that they are of.",
        *(f"{kind[0].upper()}{kind[1:]}." for kind in kinds),
    ]
    if len(contest.rows) > 2:
        sentences.append(
            "The verdicts on a metric hold together: where no studies differ in it, any two are "
            "called different in at most 5 of 100 comparisons (Holm's correction)."
        )
    if len({entry.goal.data for entry in contest.entries}) > 1:
        sentences.append("The studies have different data, on which values do not compare.")
    without = untested(contest.rows)
    sentences += [f"{study.name} has no test: {reason}." for study, reason in without]
    if not without and any(test_value(e.record.results) is None for e in contest.entries):
        sentences.append("Not every study has opened the test set.")
    return sentences
