"""Secrets in texts: masked by value and by shape, in time that grows with the text alone."""

import time
from dataclasses import dataclass

import pytest

from lightning_hpo.output import masking
from lightning_hpo.output.masking import learn, presentable, redact, redacted, storage_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach postgresql://me:5ecret@db/hpo: refused", "postgresql://me:***@db/hpo:"),
        ("mysql://me:p@5ecret@db/hpo", "mysql://me:***@db/hpo"),
        ("postgresql//me:5ecret@db/hpo", "postgresql//me:***@db/hpo"),
        ("a=https://u:5ecret@x,b=https://u:5ecret2@y", "a=https://u:***@x,b=https://u:***@y"),
        ("mysql://me@db/hpo?password=5ecret&ssl=1", "mysql://me@db/hpo?password=***&ssl=1"),
        ("{'password': '5ecret word', 'user': 'me'}", "{'password': ***, 'user': 'me'}"),
        ("host=db password=5ecret user=me", "host=db password=*** user=me"),
        ("model.api_key=5ecret", "model.api_key=***"),
    ],
)
def test_what_has_the_shape_of_a_password_is_masked(text: str, shown: str) -> None:
    assert shown in redact(text)
    assert "5ecret" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me@db/hpo",
        "sqlite:////data/a b/study.db",
        "https://example.org/a:b@c",
        'FATAL: password authentication failed for user "me"',
        "study.storage='${oc.env:LIGHTNING_HPO_STORAGE}' db.password='${oc.env:PW}'",
        "model.pad_token=<pad> model.n_tokens=8",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        'could not translate host name "5e@cret"',
        "user 5e%40cr%25t?",
        r"value='it\'s5ecret'",
        r'{"tried": "two\"secrets"}',
        "tail cr%t@host",
    ],
)
def test_a_known_secret_is_masked_in_every_form_that_it_takes(text: str) -> None:
    learn(["5e@cret", "5e@cr%t?", "it's5ecret", 'two"secrets', "cr%t"])
    assert "***" in redact(text)
    assert not any(part in redact(text) for part in ("cret", "cr%", "s5e", "secrets"))


def test_a_password_that_is_a_word_is_masked_as_a_word_alone() -> None:
    learn(["postgres", "4711", "no"])
    shown = redact("postgresql://postgres:no@h: role postgres, port 4711, 47110 rows, no")
    assert shown == "postgresql://***:***@h: role ***, port ***, 47110 rows, no"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGPASSWORD", "5ecret"),
        ("MY_DATABASE", "postgresql://me:5ecret@db/hpo"),
        ("WANDB_API_KEY", "0123456789-5ecret"),
        ("LIGHTNING_HPO_SECRET_3", "5ecret"),
    ],
)
def test_what_the_environment_holds_is_known(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    learn(())
    assert "5ecret" not in redact(f"the driver said: {value.split(':')[-1].split('@')[0]} is wrong")


def test_the_working_directory_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", "/home/me/project")
    learn(())
    assert redact("/home/me/project/studies") == "/home/me/project/studies"


@pytest.mark.parametrize(
    ("typed", "secret"),
    [
        ("postgresql//me:5ecret@db/hpo", "5ecret"),
        ("postgresql:/me:5ecret@db/hpo", "5ecret"),
        ("me:5ecret@db/hpo", "5ecret"),
        ("postgres:me:5ecret@db/hpo", "5ecret"),
        ("postgresql://me:5ecret/hpo", "5ecret"),
        ("postgresql://me:5 e/c?ret@db/hpo", "5 e/c?ret"),
    ],
)
def test_a_misspelt_storage_url_still_tells_its_secret(typed: str, secret: str) -> None:
    assert secret in storage_secrets(typed)


@pytest.mark.parametrize(
    "url", ["sqlite:////data/x:y@z.db", "sqlite:///a:b.db", "postgresql://me@db:5432/hpo", "x.db"]
)
def test_a_storage_url_without_a_password_has_none(url: str) -> None:
    assert storage_secrets(url) == []


# 300 kB take half a second; in the square of it, as scheme names were once looked for, an hour.
@pytest.mark.parametrize(
    "piece", ["a", "://", "//a:", "//a:b@", "password='", "password ", "token", " \n", "5ecret@"]
)
def test_hostile_texts_take_time_in_proportion_to_their_length(piece: str) -> None:
    learn(["5ecret@5ecret!"])
    text = piece * (300_000 // len(piece))
    started_s = time.perf_counter()
    redact(text)
    storage_secrets(text)
    assert time.perf_counter() - started_s < 20


def test_a_long_text_is_cut_and_says_so() -> None:
    assert presentable("x" * 5_000_000, 10) == f"{'x' * 10} ... (cut, of 5,000,000 characters)"
    assert presentable("short", 10) == "short"


# By its first half alone no net would know the secret.
@pytest.mark.parametrize("before", range(80, 101))
def test_a_secret_at_the_cut_is_masked_whole(before: int) -> None:
    learn(["5ecret-w0rd"])
    assert "5ec" not in presentable("x" * before + "5ecret-w0rd" + "x" * 200, 100)


def test_long_secrets_are_masked_before_their_parts() -> None:
    learn(["part5", "part5-and-more"])
    assert redact("got part5-and-more") == "got ***"
    assert masking.redacted({"a": ["part5", 1], "b": None}) == {"a": ["***", 1], "b": None}


# Rule: a dataclass among hyperparameters may hold a password too, and may be frozen.
def test_a_dataclass_is_shown_as_a_mapping():
    @dataclass(frozen=True)
    class Database:
        url: str
        size: int = 3

    shown = redacted({"db": Database("postgresql://me:5ecret@host/x"), "kind": Database})
    assert shown == {"db": {"url": "postgresql://me:***@host/x", "size": 3}, "kind": Database}
