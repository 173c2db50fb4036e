"""What user code raises, in words that a study can judge."""

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.fitting.boundary import CodeExited, exits_as_failures, lightning_mistakes
from lightning_hpo.flavour import pl


def test_a_misconfiguration_is_the_users_mistake_in_one_line():
    expected = r"^Lightning refuses the configuration: no two$"
    with pytest.raises(UserError, match=expected), lightning_mistakes():
        raise pl.utilities.exceptions.MisconfigurationException("no\ntwo")


@pytest.mark.parametrize(
    ("code", "words"), [("nonsense", "sys.exit('nonsense')"), (0, "sys.exit(0)")]
)
def test_an_exit_fails_its_job_alone(code, words):
    with pytest.raises(CodeExited) as raised, exits_as_failures():
        raise SystemExit(code)
    assert str(raised.value) == f"the code called {words}"


def test_the_signal_that_ends_a_slot_still_ends_it():
    with pytest.raises(pl.utilities.exceptions.SIGTERMException), exits_as_failures():
        raise pl.utilities.exceptions.SIGTERMException
