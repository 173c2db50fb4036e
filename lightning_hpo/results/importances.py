"""How much each parameter mattered."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import TrialState

MIN_COMPLETED_FOR_IMPORTANCES = 8


@dataclass(frozen=True)
class Importances:
    """Shares that sum to one, largest first; or, where ``shares`` is empty, why there are none.

    ``top`` is the fraction of the ``completed`` trials that counts as the best ones.
    """

    shares: Mapping[str, float]
    why_not: str = ""
    top: float = 0.0
    completed: int = 0


def rate_parameters(study: optuna.Study) -> Importances:
    """Parameter importances by PED-ANOVA (IJCAI 2023, arXiv:2304.10255).

    Conditional ones too (arXiv:2601.20800): which parameters set the best tenth of the completed
    trials apart, or of few trials the best five, at most half of them, since fewer make the rating
    erratic.
    """
    completed = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if trial.values and np.isfinite(trial.values).all()
    ]
    searched = {
        name
        for trial in completed
        for name, distribution in trial.distributions.items()
        if not distribution.single()
    }
    if len(completed) < MIN_COMPLETED_FOR_IMPORTANCES:
        return Importances(
            {},
            f"Importances need {MIN_COMPLETED_FOR_IMPORTANCES} completed trials, "
            f"this study has {len(completed)}.",
        )
    if len(searched) < 2:
        return Importances({}, "With a single parameter there is nothing to weigh it against.")
    top = min(0.5, max(0.1, 5 / len(completed)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=top)
    with warnings.catch_warnings():
        # With tied values the best trials may be all of them; the zeros that follow are told below.
        warnings.filterwarnings("ignore", message="Target and region quantiles")
        # Too few trials of a conditional parameter: the words call the whole ranking a hint then.
        warnings.filterwarnings("ignore", message="Some regimes for parameter")
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    if len(set(shares.values())) == 1:  # how Optuna normalises importances that are all zero
        return Importances({}, "No parameter sets the best trials apart from the others.")
    ordered = sorted(searched, key=lambda name: (-shares[name], name))
    return Importances({name: shares[name] for name in ordered}, "", top, len(completed))
