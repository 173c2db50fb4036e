"""Links as HTML."""

from lightning_hpo.report.html.markup import link


# Rule: a link's path is quoted as a URL, its words as HTML.
def test_links_are_quoted() -> None:
    assert link('a b/"c"#1.html', "<x>") == '<a href="a%20b/%22c%22%231.html">&lt;x&gt;</a>'
