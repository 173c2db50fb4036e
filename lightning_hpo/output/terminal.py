"""The standard streams of a command: no character, closed pipe or missing stream ends its work."""

import codecs
import errno
import io
import os
import sys
from typing import Any, TextIO

# What has an ASCII form that people know; other characters are shown as Python escapes them.
_ASCII = {"±": "+-", "×": "x", "…": "...", "–": "-", "—": "-", "─": "-", "│": "|", "→": "->"}
_PLAIN = "lightning_hpo.plain"
# The reader has gone, for example ``head``; the terminal was closed; so was the stream.
_NOBODY_READS = (errno.EPIPE, errno.EIO, errno.EBADF)


def settle_streams() -> None:
    """Make the standard streams of this process take whatever is written, for as long as it runs.

    Called first in a program: what is opened next would get the number of a stream that is closed.
    """
    for number in range(3):
        _open_if_closed(number)
    sys.stdout = _enduring(sys.stdout, 1)
    sys.stderr = _enduring(sys.stderr, 2)


def take_any_text(stream: TextIO | Any) -> None:
    """Let ``stream`` show what its encoding lacks in another way, in place of an error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_PLAIN)


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        # The lowest free number, so this one's: those below are open by now.
        assert null == number


def _enduring(stream: TextIO | None, number: int) -> TextIO:
    raw = _Enduring(number, "w", closefd=False)
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", _PLAIN)
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        stream.encoding,
        _PLAIN,
        line_buffering=stream.isatty() or number == 2,
        write_through=isinstance(stream, io.TextIOWrapper) and stream.write_through,
    )


class _Enduring(io.FileIO):
    """A stream whose output goes nowhere once nobody reads it, that of child processes too."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _NOBODY_READS:
                raise
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return len(data)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or _escaped(c) for c in lacking), error.end


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(_PLAIN, _plain)
