"""Where a job of another application finds its trial: told in its environment, for any launcher.

A job of such an application has a configuration of its own, in which nothing is ours; what Hydra
sets in a job's environment reaches it in this process, in a slot and on another machine, and every
process that it starts.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning_hpo.composition.literals import literal

VARIABLE = "LIGHTNING_HPO_TRIAL"
_KEY = f"hydra.job.env_set.{VARIABLE}"
# What every job of the sweep is told before: Hydra's launchers name each job by its overrides, and
# leave out those of keys that are there.
KEY_EXISTS = f"++{_KEY}=''"


@dataclass(frozen=True)
class TrialAddress:
    """Trial ``number`` of the study ``study_name``, whose folder is ``folder`` (absolute).

    Not its storage, which may hold a password and is a part of the job's Hydra configuration.
    """

    number: int
    study_name: str
    folder: str

    @property
    def override(self) -> str:
        """What tells it to a job."""
        # An interpolation would be one in quotes too.
        text = json.dumps(asdict(self)).replace("$", r"\u0024")
        return f"{_KEY}={literal(text)}"

    @property
    def study_dir(self) -> Path:
        return Path(self.folder)


def told_address() -> TrialAddress | None:
    """That of the trial which this process works for; None outside a sweep."""
    told = os.environ.get(VARIABLE)
    return TrialAddress(**json.loads(told)) if told else None
