"""The one exception that stands for a user's mistake, and how any such mistake becomes one line."""

import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from lightning_hpo.output.masking import LONGEST_REASON, presentable

# Of Optuna's, whatever a storage refuses to store; what is behind it says why.
_WRONG_GUESSES = (
    "This typically happens due to invalid data in the commit, e.g. exceeding max length.",
)


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
    the options stay. Secrets are masked, and a message that is too long is cut.
    """
    text = _message(error) or type(error).__name__
    cause = error.__cause__
    if cause is not None:
        reason = _message(of_driver(cause))
        text = text if reason in text else f"{text} ({reason})"
    return presentable(text + _suggestion(text[:LONGEST_REASON]))


@contextmanager
def accepting(what: str) -> Iterator[None]:
    """Within it, what is raised of arguments is one line that names ``what`` was to take them."""
    try:
        yield
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} must accept its settings, but: {one_line(error)}") from None


def missing_package(what: str, package: str) -> UserError:
    """The error of a setting, ``what``, that needs a package which is not installed."""
    return UserError(
        f"{what} needs a package that is not installed: {sys.executable} -m pip install {package}"
    )


def of_driver(error: BaseException) -> BaseException:
    """What a database's driver raised: SQLAlchemy wraps it, with the statement and its values."""
    return getattr(error, "orig", None) or error


def with_type(error: BaseException) -> str:
    """:func:`one_line` behind the error's type; a user's mistake says enough by its message."""
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return f"{kind}{one_line(error)}"


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as failure:
        # The class may be a user's own, and the reason of another error may not be lost with it.
        return f"no message, for its __str__ raised {type(failure).__name__}"
    for guess in _WRONG_GUESSES:
        text = text.replace(guess, "")
    text = text.partition("Config search path:")[0]
    text = re.sub(r"Set the environment variable HYDRA_FULL_ERROR=1.*", "", text)
    if text.startswith("Error when parsing index: "):
        # Which of the typed words it is; the whole command line follows.
        word, _, rest = text.partition("string: ")[2].partition(" out of [")
        text = f"{word}:{rest.partition('].')[2]}"
    lines = (line for line in text.split("\n") if not line.startswith("Error parsing override "))
    text = "\n".join(lines)
    text = re.sub(r"See https://hydra\.cc/\S+ for details", "", text)
    text = " ".join(text.split()).replace("' Available", "'. Available")
    return re.sub(r" full_key: \S+ object_type=\S+", "", text)


def _suggestion(text: str) -> str:
    choice = re.search(r"while evaluating 'choice\((.*)\)': .*NoneType is incompatible", text)
    if choice is not None and "Write a choice" not in text:
        # Hydra's function takes no null; the same options without its name are a choice too.
        return f". Write a choice with null as a list: key={choice[1]}."
    options = re.search(r"Could not find '([^']+)'. Available options in '([^']+)': (.*)", text)
    if options is None or "Did you mean" in text:
        return ""
    wanted, group, known = options.groups()
    return did_you_mean(wanted.removeprefix(f"{group}/"), known.split())


class NonFiniteLoss(RuntimeError):
    """A loss became NaN or infinite; the trial is FAILED with this message as its reason."""
