"""The frame that the pages share: the template filled in, and written without half a page."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Generic, NamedTuple, TypeVar

from lightning_hpo.errors import UserError, with_type
from lightning_hpo.report.html.markup import paragraphs, text

T = TypeVar("T")


def assemble(
    *,
    kind: str,
    title: str,
    headline: str,
    tiles: str,
    sections: Iterable[tuple[str, str, str]],
) -> str:
    """The whole page from texts and, of ``tiles`` and ``sections`` (id, title, content), HTML.

    Its content security policy admits nothing from outside, and no script but its own.
    """
    parts = list(sections)
    style, script = _resource("style.css"), _resource("script.js")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return Template(_resource("template.html")).substitute(
        kind=text(kind),
        title=text(title),
        headline=text(headline),
        tiles=tiles,
        style=style,
        script=script,
        script_digest=digest,
        navigation="".join(f'<a href="#{key}">{title}</a>\n' for key, title, _ in parts),
        sections="".join(
            f'<section id="{key}">\n<h2>{title}</h2>\n{content}</section>\n'
            for key, title, content in parts
        ),
    )


class Section(NamedTuple, Generic[T]):
    """One section of a page: its id, its title, and what makes its HTML of the page's subject."""

    key: str
    title: str
    content: Callable[[T], str]


def section(build: Callable[[T], str], subject: T) -> str:
    """What ``build`` makes of ``subject``; where it fails, the other sections are shown."""
    try:
        return build(subject)
    except UserError:
        raise
    except Exception as error:
        return paragraphs([f"This section cannot be shown ({with_type(error)})."])


def write_page(path: Path, html: str, *, way_out: str) -> Path:
    """Write beside the page's place and move it there, so that nobody meets half a page.

    Raises:
        UserError: where the place cannot be written to; ``way_out`` ends the message.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}.html")
    try:
        # Half of a character, which a failure's message may hold, is shown as its number.
        draft.write_bytes(html.encode("utf-8", "backslashreplace"))
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(
            f"{path.name} must be writable, got the folder {path.parent} ({error.strerror}); "
            f"{way_out}."
        ) from None
    return path


def _resource(name: str) -> str:
    return files("lightning_hpo.report.html").joinpath(name).read_text(encoding="utf-8")
