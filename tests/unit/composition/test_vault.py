"""Secrets leave texts and overrides for environment variables, to which references remain."""

import os
from collections.abc import Iterator

import pytest
from omegaconf import OmegaConf

from lightning_hpo.composition.vault import (
    Vault,
    is_secret_value,
    names_secret,
    names_storage,
    reference_to,
    references_in,
    secrets_of_storage,
)
from lightning_hpo.errors import UserError

URL = "postgresql://me:5ecret@db/hpo"
STORAGE, FIRST, SECOND = (
    "${oc.env:LIGHTNING_HPO_STORAGE}",
    "${oc.env:LIGHTNING_HPO_SECRET_1}",
    "${oc.env:LIGHTNING_HPO_SECRET_2}",
)


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


# Rule: the variable holds what stood in the text, so that a job reads the same.
def test_a_secret_goes_into_the_environment_and_a_reference_remains() -> None:
    assert Vault().hidden(URL, ("data", "url")) == FIRST
    assert os.environ["LIGHTNING_HPO_SECRET_1"] == URL
    assert OmegaConf.create({"url": FIRST}).url == URL


def test_a_studys_storage_has_a_variable_of_its_own() -> None:
    assert Vault().hidden(URL, ("study", "storage")) == STORAGE
    assert os.environ["LIGHTNING_HPO_STORAGE"] == URL
    assert "LIGHTNING_HPO_SECRET_1" not in os.environ


# Rule: one secret has one reference, wherever it stands; another one has another.
def test_the_same_secret_has_the_same_reference() -> None:
    vault = Vault()
    assert vault.hidden("5ecret", ("a", "password")) == FIRST
    assert vault.hidden("0ther", ("b", "token")) == SECOND
    assert vault.hidden("5ecret", ("c", "api_key")) == FIRST
    assert vault.references == {FIRST, SECOND}


# Rule: a variable that somebody else has set is left alone.
def test_a_variable_that_holds_something_else_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTNING_HPO_SECRET_1", "somebody's")
    assert Vault().hidden("5ecret", ("a", "password")) == SECOND
    assert os.environ["LIGHTNING_HPO_SECRET_1"] == "somebody's"


@pytest.mark.parametrize("text", ["plain", "", "???", "https://x.org/y", "${oc.env:PW}"])
def test_what_is_no_secret_stays(text: str) -> None:
    vault = Vault()
    assert vault.hidden(text, ("data", "note")) == text
    assert vault.references == set()


@pytest.mark.parametrize("text", ["", "???", "${oc.env:PW}"])
def test_a_place_of_a_secret_without_one_stays(text: str) -> None:
    assert Vault().hidden(text, ("a", "password")) == text


def test_only_the_url_of_a_sentence_is_hidden() -> None:
    assert Vault().hidden(f"see {URL}, there", ("note",)) == f"see {FIRST}, there"


# Rule: an override means the same with its references; its types stay.
@pytest.mark.parametrize(
    ("line", "stored"),
    [
        (f"+note='{URL}'", f"+note='{FIRST}'"),
        ("+a.password=1234", f"+a.password='${{oc.decode:{FIRST}}}'"),
        ("+a.password=true", "+a.password=true"),
        ("+a={password: x, n: 1}", f"+a={{password:'{FIRST}',n:1}}"),
        ("model.lr=0.1", "model.lr=0.1"),
        ("~model.lr", "~model.lr"),
        # No line of Hydra's grammar: a mere text.
        (f"a=[{URL}", f"a=[{FIRST}"),
    ],
)
def test_an_override_is_stored_with_references(line: str, stored: str) -> None:
    assert Vault().hidden_override(line) == stored


@pytest.mark.parametrize("line", ["study.storage=choice(a,b)", "+a.password=1,2"])
def test_a_secret_must_have_one_value(line: str) -> None:
    with pytest.raises(UserError, match="must have one value, got several; a text with a comma"):
        Vault().hidden_override(line)


# Rule: Linux starts no process with a longer variable.
def test_a_secret_must_fit_a_variable() -> None:
    vault = Vault()
    assert vault.hidden("x" * 100_000, ("a", "password")) == FIRST
    with pytest.raises(UserError, match=r"at most 100000 bytes long, got 100001 in a\.token"):
        vault.hidden("x" * 100_001, ("a", "token"))


@pytest.mark.parametrize(
    ("path", "secret", "storage"),
    [
        (("a", "password"), True, False),
        (("a", "api_key", 0), True, False),
        (("a", "pwd"), False, False),
        (("study", "storage", "args", "pwd"), True, True),
        (("hydra", "sweeper", "storage"), False, True),
        (("study", "name"), False, False),
        (("sweeper", "storage"), False, False),
    ],
)
def test_a_path_tells_what_its_value_is(path: tuple, secret: bool, storage: bool) -> None:
    assert (names_secret(path), names_storage(path)) == (secret, storage)


def test_only_our_own_references_are_found() -> None:
    text = f"a {STORAGE} b {SECOND} c ${{oc.env:HOME}} ${{oc.env:LIGHTNING_HPO_SECRETS}}"
    assert references_in(text) == {STORAGE, SECOND}
    assert reference_to("LIGHTNING_HPO_SECRET_2") == SECOND


def test_a_switch_is_no_secret_and_a_number_may_be() -> None:
    values = ["5ecret", 5, 0.5, True, None, ["5ecret"]]
    assert [is_secret_value(value) for value in values] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("spec", "secrets"),
    [
        (None, []),
        ("sqlite:///study.db", []),
        (URL, ["5ecret"]),
        ({"_target_": "a.Storage", "url": URL, "args": [{"pwd": "0ther", "n": 1}]}, None),
    ],
)
def test_the_secrets_of_a_storage_are_known(spec: object, secrets: list[str] | None) -> None:
    found = secrets_of_storage(OmegaConf.create(spec) if isinstance(spec, dict) else spec)
    assert found == (["5ecret", "0ther"] if secrets is None else secrets)
