"""The commands of a report that go on with its study."""

from lightning_hpo.report.study import again


def test_resume_command_replaces_the_total() -> None:
    command = "python -m lightning_hpo +experiment=x study.n_trials=100 'study.name=a b'"
    assert again.resume_command(command, total=100) == (
        "python -m lightning_hpo +experiment=x 'study.name=a b' study.n_trials=150"
    )
