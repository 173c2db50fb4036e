"""What a study says at its end: commands that go on with it."""

from lightning_hpo.results import last_words


def test_the_command_for_more_trials_replaces_the_total():
    command = "python -m lightning_hpo +experiment=x study.n_trials=12"
    assert last_words._with_trials(command, 24) == (
        "python -m lightning_hpo +experiment=x study.n_trials=24"
    )
