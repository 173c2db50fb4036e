"""From a search to its final job: on whose parameters, and whether it is to run here and now."""

import time
from dataclasses import replace

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.results import trials
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.finale.plan import Finale
from lightning_hpo.sweep.finale.shown import shown_trials
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
    finale = _finale(search, best, display, settings, facts)
    if finale.is_done():
        finale.sign()
        display.note(f"the final job of these parameters is done, see {finale.final_dir}")
        return
    running = search.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if not all(map(is_foreign, running)):
        display.note("trials still run elsewhere; the final job is left to who ends last")
        return
    elsewhere = _claim(finale, fleet, display)
    if elsewhere is not None:
        display.note(f"the final job of these parameters {elsewhere}")
        return
    if not finale.is_done():
        finale.run()
    fleet.finish_final()


def _claim(finale: Finale, fleet: Fleet, display: Display) -> str | None:
    """Where the final job runs or was done; None: here and now.

    One that runs in this very folder is waited for: should its controller die, it goes on here.
    """
    waits = False
    while (elsewhere := fleet.claim_final(finale.identity, finale.final_dir)) is not None:
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
    """The trials that the final job fits again, by their roles."""
    if not settings.showcase:
        return {}
    return shown_trials(search.study, settings.study_dir)
