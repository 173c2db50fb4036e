"""The section of the search: how the winner was found, what mattered, what pruning saved."""

from statistics import median

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.attributes import CONFIGURED, FORCED_RESUME
from lightning_hpo.report.figures.history import history, intermediate_values
from lightning_hpo.report.figures.parameters import importance_bars, slices
from lightning_hpo.report.figures.relations import contour, parallel_coordinates
from lightning_hpo.report.figures.timeline import timeline
from lightning_hpo.report.html.markup import bullets, figure, optional, paragraphs
from lightning_hpo.report.study.stored import SEARCH_FIGURES, figures_of, stored_figures
from lightning_hpo.report.study.trials import trial_table
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.readings import epochs_reported
from lightning_hpo.results.record import Record
from lightning_hpo.results.text import count, listing, number, percent

# How a trial ends without a value.
_ENDED = {TrialState.PRUNED: "was pruned", TrialState.FAIL: "failed"}
TRIALS_FOR_TRUST = 40  # below this many completed trials importances are called a hint


def progress(record: Record) -> list[str]:
    """Whether the search was still getting better when it ended."""
    winner = record.winner
    if winner is None:
        return []
    after = sum(trial.number > winner.number for trial in record.trials)
    following = "the one trial" if after == 1 else f"the {after} trials"
    if after == 0:
        return [
            f"The best trial, number {winner.number}, was also the last: nothing shows that the "
            "search had come to its end."
        ]
    return [f"The best trial is number {winner.number}; {following} after it found nothing better."]


def beginning(record: Record) -> list[str]:
    """How the trial ended that took the configured values, where there is one."""
    marked = [trial for trial in record.trials if CONFIGURED in trial.user_attrs]
    if not marked or record.winner is None:
        return []
    # The last one: another may have been tried again.
    trial = marked[-1]
    names = trial.user_attrs[CONFIGURED]
    some = "" if set(trial.params) <= set(names) else f" of {listing(names)}"
    took = f"Trial {trial.number} took the configured values{some} and"
    if trial.state is not TrialState.COMPLETE:
        return [f"{took} {_ENDED[trial.state]}."] if trial.state in _ENDED else []
    complete = len(record.in_state(TrialState.COMPLETE))
    if trial.number == record.winner.number:
        return [f"{took} is the best of {complete}."]
    return [
        f"{took} reached {number(trial.value)}; number {record.winner.number}, the best of "
        f"{complete}, reached {number(record.winner.value)}."
    ]


def pruning_saved(record: Record) -> str:
    """Epochs that pruning saved.

    A pruned trial is counted as if it would have lasted as long as the longest trial did.
    """
    pruned = record.in_state(TrialState.PRUNED)
    if not pruned:
        return "No trial was pruned."
    longest = max(map(epochs_reported, record.trials))
    ran = sum(map(epochs_reported, record.trials))
    saved = sum(longest - epochs_reported(trial) for trial in pruned)
    if longest == 0:
        return f"{count(len(pruned), 'trial')} pruned, without intermediate values to count."
    typical = median(map(epochs_reported, pruned))
    most = f", half of them within {typical:g} epochs," if len(pruned) > 1 and typical > 1 else ""
    return (
        f"Pruning stopped {len(pruned)} of {count(len(record.trials), 'trial')}{most} and saved "
        f"{count(saved, 'epoch')}: {ran} were trained instead of "
        f"{ran + saved} ({percent(saved / (ran + saved))} saved), counted against the longest "
        f"trial's {longest}."
    )


def mixtures(record: Record) -> list[str]:
    """Which trials ran with other settings than those before, after study.force_resume."""
    mixed: dict[str, list[int]] = {}
    for trial in record.trials:
        if (changed := trial.user_attrs.get(FORCED_RESUME)) is not None:
            mixed.setdefault(str(changed), []).append(trial.number)
    return [
        f"Since trial {numbers[0]} the study ran with other settings (study.force_resume):"
        f" {changed}. Do not compare values with those before."
        for changed, numbers in mixed.items()
    ]


def failures(record: Record) -> list[str]:
    """The reasons why trials failed, the most frequent first, with the trials' numbers."""
    failed: dict[str, list[FrozenTrial]] = {}
    for trial in record.in_state(TrialState.FAIL):
        reason = presentable(str(trial.user_attrs.get("failure", "no reason recorded")))
        failed.setdefault(reason.rstrip("."), []).append(trial)
    sentences = []
    for reason, trials in sorted(failed.items(), key=lambda entry: -len(entry[1])):
        numbers = [str(trial.number) for trial in trials[:8]] + ["…"] * (len(trials) > 8)
        retried = sum(bool(trial.user_attrs.get("retried")) for trial in trials)
        again = f" Tried again: {retried}." if retried else ""
        sentences.append(
            f"{count(len(trials), 'trial')} failed ({', '.join(numbers)}): {reason}.{again}"
        )
    return sentences


def importance_words(importances: Importances) -> str:
    """Which parameters matter, and how far that rating can be trusted."""
    if not importances.shares:
        return importances.why_not
    first, *others = importances.shares.items()
    few = importances.completed < TRIALS_FOR_TRUST
    doubt = (
        f"; with {importances.completed} completed trials that is a hint, no more" if few else ""
    )
    rest = listing([f"{name} ({percent(share)})" for name, share in others[:2]])
    return (
        f"{first[0]} ({percent(first[1])}) sets the best {percent(importances.top)} of the "
        f"completed trials apart most clearly, followed by {rest}{doubt}."
    )


def _together(record: Record) -> str:
    """Figures of several parameters at a time, where there are enough trials and parameters."""
    pictures = [found for found in (parallel_coordinates(record), contour(record)) if found]
    if not pictures:
        return ""
    return "<h3>Parameters together</h3>\n" + "".join(map(figure, pictures))


def content(record: Record) -> str:
    """How the winner was found: the trials, what mattered, what pruning saved."""
    if not record.trials:
        return paragraphs(["There was no search: the study has no search space."])
    html = bullets(
        [
            *progress(record),
            *beginning(record),
            pruning_saved(record),
            importance_words(record.importances),
            *mixtures(record),
            *failures(record),
        ]
    )
    pictures = [
        history(record),
        intermediate_values(record),
        importance_bars(record),
        timeline(record),
    ]
    html += f'<div class="pair">\n{"".join(map(optional, pictures))}</div>\n'
    html += _together(record)
    small = "".join(figure(picture) for picture in slices(record))
    if small:
        html += (
            "<h3>One parameter at a time</h3>\n"
            + paragraphs(
                [
                    "Each picture spans a parameter's whole range; the marks are those of the "
                    "first picture. Pruned trials stand at their last value, which is not "
                    "strictly comparable."
                ]
            )
            + f'<div class="small">\n{small}</div>\n'
        )
    html += _trials_side_by_side(record)
    return html + "<h3>Every trial</h3>\n" + trial_table(record)


def _trials_side_by_side(record: Record) -> str:
    folder = figures_of(record)
    if not any((folder / f"{stem}.png").is_file() for stem in SEARCH_FIGURES):
        return ""
    shown = stored_figures(folder, lambda stem: stem in SEARCH_FIGURES, "")
    return "<h3>Trials side by side</h3>\n" + shown
