"""A job is told its trial in a word of Hydra's, and reads it in its environment."""

import json

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lightning_hpo.protocol.address import KEY_EXISTS, VARIABLE, TrialAddress, told_address


def parsed(override: str) -> tuple[str, str]:
    found = OverridesParser.create().parse_override(override)
    return found.key_or_group, found.value()


# Rule: what is told is what is read, whatever characters the study's name and folder have.
@pytest.mark.parametrize(
    "name", ["search", "a 'b' \"c\"", "${oc.env:HOME}", "ä=1, {x: [2]}", "a\\b"]
)
def test_an_address_comes_back_from_the_environment_as_it_was(name, monkeypatch):
    address = TrialAddress(3, name, f"/of/{name}")
    key, value = parsed(address.override)
    assert key == f"hydra.job.env_set.{VARIABLE}"
    # Hydra resolves interpolations in the environment of a job.
    assert "$" not in value
    monkeypatch.setenv(VARIABLE, value)
    assert told_address() == address


def test_outside_a_sweep_there_is_none(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert told_address() is None
    # As every job of a sweep finds it, until it is told its own.
    assert parsed(KEY_EXISTS) == (f"hydra.job.env_set.{VARIABLE}", "")
    monkeypatch.setenv(VARIABLE, "")
    assert told_address() is None


def test_an_address_holds_no_storage_which_may_have_a_password():
    told = json.loads(parsed(TrialAddress(0, "a", "/a").override)[1])
    assert told == {"number": 0, "study_name": "a", "folder": "/a"}
