"""What may reach a terminal: texts whose control characters are shown, not obeyed."""

import re

# Escape sequences begin with the first two kinds; the third turns the order of letters around; half
# of a character cannot be written at all.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""``text`` with ``\x1b`` for an escape, and so on; line ends and tabs stay."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)
