"""The values over each parameter, by literal trials."""

from drawn_trials import record
from optuna.distributions import CategoricalDistribution
from optuna.trial import create_trial

from lightning_hpo.report.figures import parameters


def test_slices_skip_what_was_not_searched_and_take_every_kind_of_choice() -> None:
    choices = CategoricalDistribution(["a", None, True, 0.5, "a very long name of a choice"])
    single = CategoricalDistribution(["only"])
    trials = [
        create_trial(
            value=1.0,
            params={"kind": choice, "one": "only"},
            distributions={"kind": choices, "one": single},
        )
        for choice in choices.choices
    ]
    (picture,) = parameters.slices(record(trials))
    assert "over kind in 5 trials" in picture.alt
