"""Whatever an objective returns, a name is or a search space says: a clear end, never a traceback.

Properties over generated inputs; the same ones in each run.
"""

import math

import optuna
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf.errors import OmegaConfBaseException
from optuna.trial import TrialState
from yaml import YAMLError

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.output.control_characters import visible
from lightning_hpo.storage.study import check_study_name
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.space import parse_space
from lightning_hpo.sweep.search.verdict import judge

settings.register_profile(
    "faults",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("faults")

# What the command line turns into one line.
MISTAKES = (UserError, HydraException, OmegaConfBaseException, YAMLError)
ANY_TEXT = st.text(st.characters(), max_size=40)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), ANY_FLOAT, ANY_TEXT, st.binary())
ANY_VALUE = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner))


def returned(value: object) -> JobReturn:
    end = JobReturn(status=JobStatus.COMPLETED)
    end.return_value = value
    return end


@given(ANY_VALUE, st.integers(1, 3))
def test_any_value_completes_its_trial_with_numbers_or_fails_it_with_a_reason(value, n_objectives):
    verdict = judge(returned(value), n_objectives=n_objectives)
    if verdict.state is TrialState.COMPLETE:
        assert len(verdict.values) == n_objectives
        assert all(type(v) is float and not math.isnan(v) for v in verdict.values)
        assert not isinstance(value, str | bytes)
    else:
        assert verdict.state is TrialState.FAIL
        assert verdict.reason.startswith("the objective must ")
        assert not verdict.retry


@given(st.floats(allow_nan=False))
def test_every_float_but_nan_is_a_value(value):
    assert judge(returned(value), n_objectives=1).values == [value]


@given(ANY_FLOAT)
def test_what_is_told_is_what_the_storage_gives_back(value):
    verdict = judge(returned(value), n_objectives=1)
    study = optuna.create_study()
    study.tell(study.ask(), verdict.values, state=verdict.state)
    assert study.trials[0].values == verdict.values


@given(ANY_TEXT)
def test_any_message_of_an_exception_becomes_one_visible_line(message):
    end = JobReturn(status=JobStatus.FAILED)
    end.return_value = RuntimeError(message)
    verdict = judge(end, n_objectives=1)
    assert verdict.state is TrialState.FAIL
    shown = visible(verdict.reason)
    assert "RuntimeError" in shown
    assert len(shown.splitlines()) == 1
    assert shown.encode("utf-8")


@given(ANY_TEXT)
def test_any_name_names_one_folder_or_is_refused_in_one_line(tmp_path_factory, name):
    try:
        check_study_name(name)
    except UserError as error:
        assert len(visible(one_line(error)).splitlines()) == 1
        return
    folder = tmp_path_factory.getbasetemp() / "names" / name
    folder.mkdir(parents=True, exist_ok=True)
    assert folder.parent.name == "names"
    assert name in {path.name for path in folder.parent.iterdir()}


OF_SPACES = (
    "interval range choice glob tag int log ( ) [ ] , = 1 0.5 1e400 -1 inf nan x x.y ' { } : $ null"
    ' ~ "'
)
WORDS = st.sampled_from(OF_SPACES.split(" "))
KNOWS_ALL = Configured(lambda key: 0.5, lambda key: True, lambda key: True, lambda group: ())


@given(st.one_of(st.lists(WORDS, max_size=10).map("".join), ANY_TEXT), st.booleans())
def test_any_search_space_is_parsed_or_refused_in_one_line(text, named):
    argument = f"x={text}" if named else text
    try:
        parse_space([argument], conditions={}, configured=KNOWS_ALL)
    except MISTAKES as error:
        assert len(visible(one_line(error)).splitlines()) == 1
