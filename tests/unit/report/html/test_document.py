"""The frame of a page: escaped, closed to the outside, and written whole or not at all."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.report.html.document import assemble, section, write_page


def page(**changes: object) -> str:
    told = {
        "kind": "A kind",
        "title": "A title",
        "headline": "A headline.",
        "tiles": "",
        "sections": [("one", "First", "<p>1</p>"), ("two", "Second", "<p>2</p>")],
    }
    return assemble(**(told | changes))


def test_sections_stand_in_order_and_can_be_navigated() -> None:
    html = page()
    assert re.findall(r'<section id="(\w+)">\n<h2>(\w+)</h2>\n(.*?)</section>', html) == [
        ("one", "First", "<p>1</p>"),
        ("two", "Second", "<p>2</p>"),
    ]
    assert re.findall(r'<a href="#(\w+)">', html) == ["one", "two"]


# Rule: texts are escaped; only what is HTML already is taken as it is.
def test_texts_of_the_head_are_escaped() -> None:
    html = page(title="<b>$style</b>", headline='"&"', kind="<i>")
    assert html.count("&lt;b&gt;$style&lt;/b&gt;") == 2
    assert "&quot;&amp;&quot;" in html
    assert "&lt;i&gt;" in html


# Rule: no script but the page's own runs, which its digest tells.
def test_the_policy_admits_the_pages_own_script_alone() -> None:
    html = page()
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert "default-src 'none'" in html


def test_a_section_that_fails_says_why_and_a_mistake_of_the_user_is_raised() -> None:
    def broken(subject: int) -> str:
        return str(1 / subject)

    def mistaken(subject: int) -> str:
        raise UserError("n must be 1, got 2.")

    assert section(broken, 2) == "0.5"
    assert section(broken, 0) == (
        "<p>This section cannot be shown (ZeroDivisionError: division by zero).</p>\n"
    )
    with pytest.raises(UserError, match=r"n must be 1, got 2\."):
        section(mistaken, 0)


def test_a_page_replaces_the_one_before_and_leaves_nothing_else(tmp_path: Path) -> None:
    for html in ("<p>first</p>", "<p>ü \ud800</p>"):
        assert write_page(tmp_path / "report.html", html, way_out="-") == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "<p>ü \\ud800</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(
        UserError, match=r"^report\.html must be writable, got the folder .*; go\.$"
    ):
        write_page(tmp_path / "report.html", "<p></p>", way_out="go")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
