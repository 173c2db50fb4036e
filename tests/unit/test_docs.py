"""docs/ builds as a site without a warning: every link in it leads somewhere. README's do too."""

import re
import subprocess
import sys
from os import environ
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    # Advice on another tool is no warning about ours.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        env=environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    page = (tmp_path / "python" / "index.html").read_text(encoding="utf-8")
    assert "lightning_hpo" in page
    # No role of a docstring is left, and each section has become a table.
    assert ":func:" not in page and ":class:" not in page
    assert "Raises:" in page and "<p>Args:" not in page and "<p>Raises:" not in page


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_link_outside_the_site_leads_somewhere(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert links
    for place, anchor in links:
        assert (ROOT / place).is_file(), place
        if anchor:
            assert anchor in anchors((ROOT / place).read_text(encoding="utf-8")), (place, anchor)


def anchors(page: str) -> set[str]:
    """Those of a page's headings, as code hosts make them."""
    titles = re.findall(r"(?m)^#+ (.*)$", page)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_an_anchor_is_a_heading_without_its_punctuation() -> None:
    assert anchors("# When, and why?\n## The `controller`\n") == {"when-and-why", "the-controller"}


def test_the_readme_is_read_to_its_end() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
