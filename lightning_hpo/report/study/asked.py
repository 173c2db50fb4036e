"""The section of what was asked: the goal, the data, the settings, the search space."""

from collections.abc import Mapping

from lightning_hpo.protocol.attributes import FORCED_RESUME
from lightning_hpo.report.html.markup import cell, definitions, paragraphs, table, text
from lightning_hpo.results import readings
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import DataOf
from lightning_hpo.results.text import scale, value_range

BOOKKEEPING = (
    "failure",
    "owner",
    FORCED_RESUME,
)  # texts among a trial's attributes that are no settings


def fixed_settings(record: Record) -> dict[str, str]:
    """Short text attributes that no two trials contradict: the overrides held fixed."""
    values: dict[str, set[object]] = {}
    for trial in record.trials:
        for name, value in trial.user_attrs.items():
            values.setdefault(name, set()).add(value if isinstance(value, str) else None)
    single = {name: found.pop() for name, found in values.items() if len(found) == 1}
    return {
        name: value
        for name, value in single.items()
        if isinstance(value, str) and len(value) <= 80 and not _is_bookkeeping(name)
    }


def _is_bookkeeping(name: str) -> bool:
    """What says how a study ran, its folder or its number of trials, is no setting of a trial."""
    return name in BOOKKEEPING or name.startswith("study.")


def content(record: Record) -> str:
    """What was asked: the experiment, the goal, the data, the search space."""
    results = record.results
    data = results.get("data") or DataOf()
    fixed = fixed_settings(record)
    html = definitions(
        [
            ("Study", results["study_name"]),
            ("Experiment", results.get("experiment")),
            ("Application", results.get("application")),
            ("Goal", f"{results['direction']} {record.monitor}"),
            ("Data", data.get("name")),
            ("SHA-256 of the data", data.get("sha256")),
            ("Noise variance of the data", data.get("noise_variance")),
            ("Seed", results.get("seed")),
            ("Sampler", _named(results.get("sampler"))),
            ("Pruner", _named(results.get("pruner"))),
            ("Held fixed", ", ".join(f"{name}={value}" for name, value in fixed.items())),
        ]
    )
    return html + _space_table(record)


def _named(setting: object) -> object:
    """A sampler or pruner recorded as text, or as a configuration with a ``_target_``."""
    if not isinstance(setting, Mapping):
        return setting
    arguments = ", ".join(f"{k}={v}" for k, v in setting.items() if not k.startswith("_"))
    return f"{str(setting.get('_target_', '')).rpartition('.')[2]}({arguments})"


def _space_table(record: Record) -> str:
    if not record.space:
        nothing = "Nothing was searched: every parameter has a fixed value."
        unknown = "No trial got as far as drawing its parameters."
        return paragraphs([unknown if record.trials else nothing])
    partial = readings.conditional_parameters(record)
    partial |= {name: 0 for name in record.asked if name not in record.space}
    total = sum(bool(trial.params) for trial in record.trials)
    rows = [
        [
            cell(f"<code>{text(name)}</code>", head=True),
            cell(text(value_range(distribution))),
            cell(text(scale(distribution))),
            cell(f"{partial[name]} of {total} trials" if name in partial else "every trial"),
        ]
        for name, distribution in {**record.asked, **record.space}.items()
    ]
    return table("Search space", ["Parameter", "Range", "Scale", "Searched in"], rows)
