"""Studies in memory whose trials have literal parameters and values."""

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial


def study_of(points: list[dict[str, float]], values: list[float]) -> optuna.Study:
    study = optuna.create_study()
    for params, value in zip(points, values, strict=True):
        space = {name: FloatDistribution(0.0, 1.0) for name in params}
        study.add_trial(create_trial(params=params, distributions=space, value=value))
    return study
