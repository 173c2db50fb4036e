"""The gallery page names pictures that the gallery's tool makes, that exist, and that are small."""

import re
from pathlib import Path

from docs.gallery import FINAL, FOLDER, MAX_BYTES, SEARCH

PAGE = (FOLDER.parent / "gallery.md").read_text()
SHOWN = re.findall(r"!\[([^]]+)\]\(gallery/(\w+)\.png\)", PAGE)


# Rule: what is shown is what ``make gallery`` draws again, no less and no more.
def test_every_picture_is_made_by_the_tool():
    made = {f"{study}_{figure}" for study, figures in FINAL.items() for figure in figures}
    made |= {f"search_{name}" for name in SEARCH}
    assert {name for _, name in SHOWN} == made
    assert {path.stem for path in FOLDER.glob("*.png")} == made


def test_every_picture_has_its_own_words():
    assert all(alt.strip() for alt, _ in SHOWN)


def test_every_picture_is_small_enough_to_be_opened_on_a_phone():
    sizes = {path.name: path.stat().st_size for path in Path(FOLDER).glob("*.png")}
    assert {name: size for name, size in sizes.items() if size > MAX_BYTES} == {}
