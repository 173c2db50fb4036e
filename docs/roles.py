"""Roles of docstrings, as in ``:func:`run```, become plain code on the pages of the site."""

import re

ROLE = re.compile(r":(?:attr|class|func|meth|mod):(?=<code>)")


def on_page_content(html: str, **_: object) -> str:
    """What mkdocs calls with each page."""
    return ROLE.sub("", html)
