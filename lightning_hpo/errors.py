"""The one exception that stands for a user's mistake, and how any such mistake becomes one line."""

import difflib
import re
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that only the user can mend.

    The message states the rule, the value that broke it and the way out, in one line. The entry
    point prints it without a traceback and exits with status 1.
    """


class StudyFailed(UserError):
    """The study ended without what was asked for, for example because every trial failed."""


class ProcessDied(RuntimeError):
    """A process of a job's own was killed; the job's next try may do better."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM ended the run; running trials are closed and the study resumes.

    As KeyboardInterrupt no Exception: libraries turn those into errors of their own, and OmegaConf
    even one that comes in the middle of reading a key.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by signal {signum}")
        self.signum = signum


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suggestion to append to an error message; empty when nothing comes close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def one_line(error: BaseException) -> str:
    """The message of ``error``, and of the error that caused it, as one line for the terminal.

    Hydra's messages run over several lines and end with the search path; the rule, the value and
    the options stay.
    """
    text = _folded(_said_by(error)) or type(error).__name__
    cause = error.__cause__
    if cause is not None and _folded(_said_by(cause)) not in text:
        text = f"{text} ({_folded(_said_by(cause))})"
    return text + _suggestion(text)


def _said_by(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        # The class may be a user's own, and the reason of another error may not be lost with it.
        return f"no message, for its __str__ raised {type(failure).__name__}"


def _folded(text: str) -> str:
    text = re.sub(r"Config search path:.*", "", text, flags=re.DOTALL)
    text = re.sub(r"Set the environment variable HYDRA_FULL_ERROR=1.*", "", text)
    text = re.sub(r"\s*\n\s*", " ", text.strip()).replace("' Available", "'. Available")
    return re.sub(r"\s+full_key: \S+ object_type=\S+", "", re.sub(r"\s+", " ", text))


def _suggestion(text: str) -> str:
    options = re.search(r"Could not find '([^']+)'. Available options in '([^']+)': (.*)", text)
    if options is None or "Did you mean" in text:
        return ""
    wanted, group, known = options.groups()
    return did_you_mean(wanted.removeprefix(f"{group}/"), known.split())
