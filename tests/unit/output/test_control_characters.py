"""Control characters in a text reach no terminal."""

from hypothesis import given
from hypothesis import strategies as st

from lightning_hpo.output.control_characters import visible


def test_escapes_are_shown_and_plain_text_is_left_alone():
    assert visible("plain\ttext\nµ ± 漢字") == "plain\ttext\nµ ± 漢字"
    assert visible("\x1b[31mred\x07\r\x9b2J") == r"\x1b[31mred\x07\r\x9b2J"
    assert visible("half: \ud800, turned: \u202e") == r"half: \ud800, turned: \u202e"


@given(st.text(st.characters(), max_size=50))
def test_any_text_can_be_written_and_obeys_nothing(text):
    shown = visible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not any(letter in shown for letter in "\x1b\x9b\x07\x08\r\x00")
