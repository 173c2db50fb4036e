"""Small builders of HTML; the only door through which a text reaches the page, always escaped."""

import hashlib
import html
import os
import struct
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path
from urllib.parse import quote

from lightning_hpo.output.masking import LONGEST_TEXT, presentable, redact


@dataclass(frozen=True)
class Mark:
    """What hovering says at a place in a picture; ``x``, ``y`` from its top left, in [0, 1]."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Picture:
    """An image with its alternative text; sizes in CSS pixels."""

    data: bytes
    kind: str  # the media type's second half: "png" or "svg+xml"
    width_px: int
    height_px: int
    alt: str
    caption: str = ""
    marks: Sequence[Mark] = field(default=())


def text(words: object) -> str:
    """Any value as text of the page or of a quoted attribute, without secrets."""
    return html.escape(presentable(str(words), LONGEST_TEXT), quote=True)


def paragraphs(sentences: Iterable[str], *, css: str = "") -> str:
    attribute = f' class="{css}"' if css else ""
    return "".join(f"<p{attribute}>{text(sentence)}</p>\n" for sentence in sentences)


def bullets(sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{text(sentence)}</li>\n" for sentence in sentences)
    return f"<ul>\n{items}</ul>\n" if items else ""


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """A list of names and values; pairs without a value are left out."""
    items = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>\n"
        for name, value in pairs
        if value not in (None, "")
    )
    return f'<dl class="definitions">\n{items}</dl>\n'


def breakable(name: str) -> str:
    """A name that may be broken over lines after its dots and underscores."""
    return text(name).replace(".", ".<wbr>").replace("_", "_<wbr>")


def command(line: str) -> str:
    return f"<pre><code>{text(line)}</code></pre>\n"


def cell(shown: str, *, key: float | str | None = None, head: bool = False, css: str = "") -> str:
    """A table's cell from ready HTML; ``key`` is what sorting compares, if not the shown text."""
    attribute = "" if key is None else f' data-key="{text(key)}"'
    attribute += f' class="{css}"' if css else ""
    return f'<th scope="row"{attribute}>{shown}</th>' if head else f"<td{attribute}>{shown}</td>"


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    foot: Sequence[str] = (),
    css: str = "",
) -> str:
    """A table that scrolls within its box; ``rows`` and ``foot`` hold ready cells.

    ``css``: ``sortable``, or ``side`` for one whose columns are studies.
    """
    head = "".join(f'<th scope="col">{breakable(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    end = f"<tfoot><tr>{''.join(foot)}</tr></tfoot>\n" if foot else ""
    attribute = f' class="{css}"' if css else ""
    return (
        f'<div class="scroll" role="region" aria-label="{text(title)}" tabindex="0">\n'
        f"<table{attribute}><caption>{text(title)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n{end}</table></div>\n"
    )


def tiles(shown: Iterable[tuple[str, str, str]]) -> str:
    """Key figures, large: of each a name, the value and a note."""
    items = "".join(
        f"<li><span>{text(name)}</span><strong>{text(value)}</strong><span>{text(note)}</span></li>"
        for name, value, note in shown
    )
    return f'<ul class="tiles">{items}</ul>\n' if items else ""


def typed(folder: Path) -> str:
    """The folder as one would type it here: relative where that is shorter."""
    relative = os.path.relpath(folder)
    return str(folder.resolve()) if relative.startswith("..") else relative


def link(target: str, words: object) -> str:
    """A link to a path relative to the page, which is quoted as a URL."""
    return f'<a href="{text(quote(target))}">{text(words)}</a>'


def figure(picture: Picture, *, css: str = "") -> str:
    """The picture inlined as a data URI, with its caption and hover marks.

    A click shows it over the page at its full size, which needs no script and no file beside it.
    """
    source = f"data:image/{picture.kind};base64,{b64encode(picture.data).decode('ascii')}"
    marks = ""
    if picture.marks:
        places = [[round(m.x, 4), round(m.y, 4), redact(m.label)] for m in picture.marks]
        encoded = html.escape(dumps(places, separators=(",", ":")), quote=True)
        marks = f' data-marks="{encoded}"'
    caption = f"<figcaption>{text(picture.caption)}</figcaption>" if picture.caption else ""
    key = hashlib.sha256(picture.alt.encode("utf-8", "replace") + picture.data).hexdigest()[:12]
    return (
        f'<figure class="{text(css)}" id="at_{key}">\n<div class="card" id="full_{key}"{marks}>'
        f'<a class="close" href="#at_{key}">Close</a><a class="full" href="#full_{key}">'
        f'<img alt="{text(picture.alt)}" width="{picture.width_px}" '
        f'height="{picture.height_px}" src="{source}"></a></div>\n{caption}</figure>\n'
    )


def read_png(path: Path, *, alt: str, caption: str) -> Picture | None:
    """A stored PNG, or None for a damaged one; bytes 16 to 24 hold its size."""
    data = path.read_bytes()
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or b"IEND" not in data[-12:]:
        return None
    width_px, height_px = struct.unpack(">II", data[16:24])
    return Picture(data, "png", width_px, height_px, alt, caption)


def place_in_range(position: float, *, at_border: bool) -> str:
    """A line with a dot at ``position`` in [0, 1], for "where in its range is the optimum"."""
    percent = round(100 * position)
    label = f"{percent} % of the range" + (", at its border" if at_border else "")
    css = "place border" if at_border else "place"
    return (
        f'<svg class="{css}" viewBox="0 0 112 12" role="img" aria-label="{label}">'
        f"<title>{label}</title>"
        '<path d="M6 2v8M106 2v8M6 6h100"></path>'
        f'<circle cx="{6 + percent}" cy="6" r="4.5"></circle></svg>'
    )


def share_bar(share: float) -> str:
    """A bar as long as ``share``, in [0, 1], of the room it has."""
    width = round(100 * min(max(share, 0.0), 1.0), 1)
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:g}" height="8"></rect></svg>'
    )


def optional(picture: Picture | None) -> str:
    return "" if picture is None else figure(picture)
