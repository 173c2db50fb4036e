"""Which runs are of one study; what differs is named, and what is mixed by force is marked."""

import optuna
import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.search import fingerprint
from lightning_hpo.sweep.search.space import parse_space


def of(*, high: float = 1.0, data: str = "abc", **configuration: object) -> dict[str, object]:
    space = parse_space([f"x=interval(0, {high})"], conditions={})
    named = {name.replace("__", "."): value for name, value in configuration.items()}
    return fingerprint.of(space, ["minimize"], "val/loss", data, named)


@pytest.fixture
def study() -> optuna.Study:
    study = optuna.create_study(study_name="s")
    fingerprint.check(study, of(model__width=64, seed=0), force=False)
    study.add_trial(optuna.create_trial(value=1.0))
    return study


def refusal(study: optuna.Study, now: dict[str, object]) -> str:
    with pytest.raises(UserError) as caught:
        fingerprint.check(study, now, force=False)
    return str(caught.value)


def test_the_same_settings_resume_and_mark_nothing(study):
    fingerprint.check(study, of(model__width=64, seed=0), force=False)
    assert fingerprint.marks(study) == {}


def test_what_differs_is_named_with_both_values(study):
    message = refusal(study, of(high=2.0, model__width=4, trainer__max_epochs=9, seed=0))
    assert "'s' has other search space (x): was FloatDistribution(high=1.0," in message
    assert "; model.width (was 64, is 4); trainer.max_epochs (was absent, is 9). Choose" in message
    assert "seed" not in message
    assert "data checksum (was abc, is x)" in refusal(study, of(data="x", model__width=64, seed=0))


def test_the_message_is_bounded(study):
    many = {f"model__v{n:03d}": "x" * 200 for n in range(100)}
    message = refusal(study, of(model__width=64, seed=0, **many))
    assert "and 92 more" in message
    assert len(message) < 1500


def test_a_study_without_trials_takes_any_settings():
    study = optuna.create_study()
    fingerprint.check(study, of(seed=0), force=False)
    fingerprint.check(study, of(seed=1), force=False)
    assert study.user_attrs["fingerprint"]["configuration"] == {"seed": 1}


def test_a_study_of_an_earlier_version_resumes_and_is_recorded_from_then_on():
    study = optuna.create_study(study_name="s")
    old = {part: value for part, value in of(seed=0).items() if part != "configuration"}
    study.set_user_attr("fingerprint", old)
    study.add_trial(optuna.create_trial(value=1.0))
    assert "search space (x)" in refusal(study, of(high=2.0, seed=0))
    fingerprint.check(study, of(seed=0), force=False)
    assert "seed (was 0, is 1)" in refusal(study, of(seed=1))


def test_what_is_mixed_by_force_marks_the_trials_from_there_on(study):
    fingerprint.check(study, of(model__width=4, seed=0), force=True)
    assert study.user_attrs["forced_resumes"] == [
        {"from_trial": 1, "changed": "model.width (was 64, is 4)"}
    ]
    mark = {"forced_resume": "model.width (was 64, is 4)"}
    assert fingerprint.marks(study) == mark
    # The same again needs no force, and its trials are as different from the first ones.
    fingerprint.check(study, of(model__width=4, seed=0), force=False)
    assert fingerprint.marks(study) == mark


def test_a_configuration_of_any_size_fits_a_storage_and_its_part_is_named(study):
    huge = {f"data__v{n}": "x" * 100 for n in range(1000)}
    now = of(model__width=64, seed=0, **huge)
    assert now["configuration"].keys() == {"model", "seed", "data"}
    other = of(model__width=64, seed=0, **{**huge, "data__v7": "y"})
    study = optuna.create_study(study_name="s")
    fingerprint.check(study, now, force=False)
    study.add_trial(optuna.create_trial(value=1.0))
    assert "has other data (was " in refusal(study, other)


# Rule: where trials may be mixed, what changed is told once and marks nothing.
def test_renewed_settings_are_told_once(study):
    now = of(high=2.0, model__width=64, seed=0)
    assert "search space (x): was FloatDistribution(high=1.0," in fingerprint.renew(study, now)
    assert fingerprint.renew(study, now) is None
    assert fingerprint.marks(study) == {}
