"""The section of how to run it again: the commands that repeat, extend and open a study."""

import shlex

from lightning_hpo.report.html import markup
from lightning_hpo.report.html.markup import command, definitions, text
from lightning_hpo.results.commands import search_on
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import taken
from lightning_hpo.results.text import duration


def content(record: Record) -> str:
    """The commands that repeat, extend and open the study, and the versions it ran with."""
    results = record.results
    folder = shlex.quote(markup.typed(record.folder))
    html = ""
    if typed := results.get("command"):
        html += "<h3>Run or finish it</h3>\n" + command(typed)
        if record.trials:
            total = results["trials"]["total"]
            more = search_on(typed, total=total, is_guest=record.is_guest)
            html += "<h3>Search on, with twice as many trials</h3>\n" + command(more)
    if record.trials and not record.is_guest:
        chosen = taken(results)
        number = chosen["number"] if chosen else record.trials[0].number
        html += f"<h3>Run one trial again, here number {text(number)}</h3>\n"
        html += command(f"python -m lightning_hpo.rerun {folder} {number}")
    if not record.is_guest:
        html += "<h3>Look at the curves</h3>\n" + command(f"tensorboard --logdir {folder}")
    html += "<h3>Build this page again</h3>\n"
    html += command(f"python -m lightning_hpo.report {folder}")
    seconds = results.get("seconds") or {}
    html += "<h3>It ran with</h3>\n" + definitions(
        [
            *(results.get("versions") or {}).items(),
            ("search", duration(seconds.get("search"))),
            ("final job", None if record.is_guest else duration(seconds.get("final"))),
        ]
    )
    return html
