"""From a search to its final job: on whose parameters, and whether it is to run here and now.

Whose they are a race may decide, which then runs before it, on the same controller.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.results import trials
from lightning_hpo.results.race import FULL, LARGEST_SHARE, sizes_within
from lightning_hpo.results.readings import epochs_reported
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.finale.plan import Finale
from lightning_hpo.sweep.finale.race import Race
from lightning_hpo.sweep.finale.shown import forget_networks, shown_trials
from lightning_hpo.sweep.fleet.controllers import Fleet
from lightning_hpo.sweep.fleet.foreign import is_foreign
from lightning_hpo.sweep.search.loop import Search
from lightning_hpo.sweep.settings import Settings

# How often is looked whether a final job that runs elsewhere has ended.
_LOOK_ROUND_S = 0.5


def evaluate(
    search: Search, fleet: Fleet, display: Display, settings: Settings, facts: Facts | None
) -> None:
    """Run the final job on the best parameters, unless it is done or another controller's."""
    best = trials.chosen_trial(search.study, settings.final_trial)
    if not settings.final:
        return
    if best is None and search.space:
        display.note("several objectives have no best trial; choose one: study.final_trial=N")
        return
    race = _race(search, display, settings)
    finale = _finale(search, _after(race, search, best), display, settings, facts)
    if finale.is_done() and (race is None or race.is_done()):
        finale.sign()
        # Those of trials that a resume has added.
        forget_networks(settings.study_dir)
        display.note(f"the final job of these parameters is done, see {finale.final_dir}")
        return
    running = search.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if not all(map(is_foreign, running)):
        display.note("trials still run elsewhere; the final job is left to who ends last")
        return
    # A race decides its final job too, so that one claim is for both.
    identity = finale.identity if race is None else race.identity
    elsewhere = _claim(identity, finale.final_dir, fleet, display)
    if elsewhere is not None:
        display.note(f"the final job of these parameters {elsewhere}")
        return
    if race is not None:
        _run_race(race, display)
        finale = _finale(search, _after(race, search, best), display, settings, facts)
    if not finale.is_done():
        finale.run()
    forget_networks(settings.study_dir)
    fleet.finish_final()


def _race(search: Search, display: Display, settings: Settings) -> Race | None:
    """The race of the best trials; None where there is none to choose among, or it is too dear."""
    study = search.study
    best = trials.contenders(study)[: FULL[0]]
    if settings.race is False or settings.final_trial is not None or len(best) < 2:
        return None
    sizes = FULL if settings.race else _affordable(study, best)
    if not sizes:
        if display.verbosity == "verbose":
            display.note("no race: it would train more than a quarter of what the search did")
        return None
    best = best[: sizes[0]]
    return Race(
        executor=search.executor,
        study_dir=settings.study_dir,
        candidates=best,
        overrides={trial.number: tuple(search.space.overrides(trial.params)) for trial in best},
        sizes=sizes,
        minimize=display.tally.minimize,
        say=display.stage,
        observer=display,
    )


def _affordable(study: optuna.Study, best: Sequence[FrozenTrial]) -> tuple[int, ...]:
    """The sizes of a race that trains at most a quarter of what the search did, by its reports."""
    spent = sum(map(epochs_reported, study.get_trials(deepcopy=False)))
    return sizes_within(list(map(epochs_reported, best)), LARGEST_SHARE * spent) if spent else ()


def _run_race(race: Race, display: Display) -> None:
    rounds = display.tally.final_rounds
    race.run()
    # Each fit that ends counts down the final job's, of which none has begun.
    display.tally.final_rounds = rounds
    number = race.winner()
    lost = "every trial failed in the race; the final job takes the search's best"
    display.note(lost if number is None else f"trial {number} won the race")


def _after(race: Race | None, search: Search, best: FrozenTrial | None) -> FrozenTrial | None:
    """The winner of a race that is done; else the best trial."""
    if race is None or not race.is_done() or (number := race.winner()) is None:
        return best
    return trials.chosen_trial(search.study, number)


def _claim(identity: Sequence[str], final_dir: Path, fleet: Fleet, display: Display) -> str | None:
    """Where the final job runs or was done; None: here and now.

    One that runs in this very folder is waited for: should its controller die, it goes on here.
    """
    waits = False
    while (elsewhere := fleet.claim_final(identity, final_dir)) is not None:
        if fleet.shared:
            return elsewhere
        if not waits:
            display.note(f"the final job of these parameters {elsewhere}; its end is waited for")
        waits = True
        time.sleep(_LOOK_ROUND_S)
    return None


def _finale(
    search: Search,
    best: FrozenTrial | None,
    display: Display,
    settings: Settings,
    facts: Facts | None,
) -> Finale:
    params = best.params if best else {}
    validates = facts is not None and facts.refit_needs_validation is not None
    told = ("study.refit_validates=true",) if validates else ()
    shown = _showcase(search, settings) if facts and facts.can_be_shown else {}
    return Finale(
        executor=search.executor,
        final_dir=StudyFolder(settings.study_dir).final.path,
        overrides=(*search.space.overrides(params), *settings.final_overrides, *told),
        asked=replace(settings.final_asked, validates=validates, shown=shown),
        say=display.stage,
        trial=best.number if best else None,
        observer=display,
    )


def _showcase(search: Search, settings: Settings) -> dict[str, int]:
    """The trials that the final job shows, by their roles."""
    if not settings.showcase:
        return {}
    return shown_trials(search.study, settings.study_dir)
