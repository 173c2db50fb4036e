"""Known secrets, and texts without them: what leaves the process shows ``***`` in their place.

Two nets. A secret that is known is masked by its value, wherever it stands. What has the shape of a
password in a URL, or follows a key such as ``password=``, is masked although nobody named it. Every
pattern takes time in proportion to the text: a message of megabytes must not hold up a study.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
# Characters of a reason that are shown and stored, of any text of a report, of an entry of a log.
LONGEST_REASON = 2_000
LONGEST_TEXT = 20_000
LONGEST_LOG_ENTRY = 100_000

# Shorter ones would be found in every other word; as parts of URLs they are masked all the same.
_SHORTEST_SECRET = 4
# So long must the value of any variable be that only its name makes a secret.
_SHORTEST_TOKEN = 8
_PASSWORD = "password|passwd|passphrase"
_TOKEN = "(?:api|access|auth|secret|private|bearer|github|hf)[_-]?(?:key|token)"
# Not "pad_token" and its like, which are words of a vocabulary.
_SECRET_KEY = re.compile(
    rf"(?:(?:^|[^a-z0-9]|ssl)(?:{_PASSWORD}|{_TOKEN}|secret)|(?:^|\.)token)$", re.IGNORECASE
)
_SECRET_VARIABLE = re.compile(r"(?:^PGPASSWORD|^MYSQL_PWD|^LIGHTNING_HPO_SECRET(?:_\d+)?)$")
_TOKEN_VARIABLE = re.compile(r"(?:TOKEN|SECRET|API_?KEY|ACCESS_KEY|PASSWORD|PASSWD|PASSPHRASE)$")

_USER = re.compile(r"//[^\s:/@]*:")
_END_OF_URL = re.compile(r"\s|://")
_KEYED = re.compile(
    rf"(?P<key>(?:(?:{_PASSWORD})['\"]?[ \t]*[=:]"
    rf"|(?:{_TOKEN}|(?<![a-z0-9_])(?:token|secret)|(?<=[?&;])pwd)['\"]?=)[ \t]*)"
    r"(?!['\"]?(?:\$\{|\*\*\*))"
    r"""(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s&'",;)}\]]+)""",
    re.IGNORECASE,
)

_learned: set[str] = set()


def learn(secrets: Iterable[str]) -> None:
    """Mask these from now on."""
    _learned.update(secrets)
    _known_values.cache_clear()


def is_secret_key(key: object) -> bool:
    """Whether a value of this name is a secret: ``password``, ``api_key``, ``db.access_token``."""
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def secrets_in(text: str) -> list[str]:
    """The passwords in the URLs of ``text``, as they stand there."""
    found = [text[start:end] for start, end in _password_spans(text)]
    if "//" in text:
        found += [match["value"].strip("'\"") for match in _KEYED.finditer(text)]
    return found


def storage_secrets(text: str) -> list[str]:
    """The same of a text that was meant for the URL of a storage, however it is misspelt."""
    scheme = re.match(r"(?:[\w+.-]*:?/+)?", text)
    start = scheme.end() if scheme else 0
    user, colon, password = text[start : max(start, text.rfind("@"))].partition(":")
    found = secrets_in(text)
    if colon and password and "/" not in user:
        found += [password, password.rpartition(":")[2]]
    # With "@host" forgotten, a password stands where a port would.
    if "@" not in text and re.search(r"(?<!/)//$", text[:start]):
        port = re.split(r"[/?]", text[start:], maxsplit=1)[0].partition(":")[2]
        found += [port] if port and not port.isdigit() else []
    return [secret for secret in dict.fromkeys(found) if secret]


def secrets_of_environment() -> dict[str, str]:
    """Name -> value of each environment variable that is a secret or a URL with a password."""
    return {name: value for name, value in os.environ.items() if _is_secret(name, value)}


def redact(text: str) -> str:
    """``text`` for people: it keeps everything but its secrets."""
    known = _known_values()
    if known is not None:
        text = known.sub(MASK, text)
    return _KEYED.sub(rf"\g<key>{MASK}", with_passwords_replaced(text, lambda _: MASK))


def with_passwords_replaced(text: str, replacement: Callable[[str], str]) -> str:
    """``text`` with another text in place of each password of its URLs, and nowhere else."""
    pieces, done = [], 0
    for start, end in _password_spans(text):
        pieces += [text[done:start], replacement(text[start:end])]
        done = end
    text = "".join([*pieces, text[done:]])
    if "//" not in text:
        return text
    return _KEYED.sub(lambda found: found["key"] + replacement(found["value"].strip("'\"")), text)


def redacted(tree: Any) -> Any:
    """Nested mappings and sequences with every text in them redacted; a dataclass as a mapping."""
    if isinstance(tree, str):
        return redact(tree)
    if isinstance(tree, Mapping):
        return {key: redacted(value) for key, value in tree.items()}
    if is_dataclass(tree) and not isinstance(tree, type):
        return {part.name: redacted(getattr(tree, part.name)) for part in fields(tree)}
    if isinstance(tree, list | tuple):
        inner = [redacted(value) for value in tree]
        return tuple(inner) if isinstance(tree, tuple) else inner
    return tree


def presentable(text: str, longest: int = LONGEST_REASON) -> str:
    """``text`` without secrets, and cut where it is too long, which it says."""
    if len(text) <= longest:
        return redact(text)
    # Behind the cut a secret may begin that no net knows by its first half alone.
    margin = longest
    shown = redact(text[: longest + margin])
    return f"{shown[: max(0, len(shown) - margin)]} ... (cut, of {len(text):,} characters)"


def _password_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords of URLs stand: from ``//user:`` up to the last ``@`` of the same URL.

    The last, since one that should have been percent-encoded may stand in the password.
    """
    done = 0
    for user in _USER.finditer(text):
        if user.start() < done:
            continue
        end = _END_OF_URL.search(text, user.end())
        done = end.start() if end else len(text)
        at = text.rfind("@", user.end(), done)
        if at > user.end():
            yield user.end(), at


def _is_secret(name: str, value: str) -> bool:
    if _SECRET_VARIABLE.search(name):
        return bool(value)
    named = _TOKEN_VARIABLE.search(name) is not None and len(value) >= _SHORTEST_TOKEN
    return named or ("//" in value and bool(secrets_in(value)))


@cache
def _known_values() -> re.Pattern[str] | None:
    exported = (
        # Of a URL its password alone is the secret.
        secrets_in(value) or [value]
        for value in secrets_of_environment().values()
    )
    secrets = _learned.union(*exported)
    forms = {form for secret in secrets for form in _forms(secret)}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(_pattern, longest_first))) if forms else None


def _forms(secret: str) -> Iterator[str]:
    """How a secret may stand in a text: in a URL, in JSON, in Python's own notation."""
    plain = {secret, unquote(secret)}
    # What drivers take for the host behind an "@" that is not encoded.
    plain |= {part for part in secret.split("@") if part}
    for text in plain:
        if len(text) < _SHORTEST_SECRET:
            continue
        yield from (text, quote(text, safe=""), quote(text, safe=" +"), quote_plus(text))
        yield from (json.dumps(text)[1:-1], repr(text)[1:-1], text.replace("'", r"\'"))


def _pattern(form: str) -> str:
    # A password such as "postgres" is a word of other texts too, but not a part of their words.
    return rf"(?<!\w){form}(?!\w)" if form.isalpha() or form.isdigit() else re.escape(form)
