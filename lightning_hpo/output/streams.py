"""Standard output, standard error and logs of a process, through which no secret leaves it."""

import io
import logging
import sys
from typing import Any

from lightning_hpo.output.masking import LONGEST_LOG_ENTRY, learn, presentable, redact

_plain_record = logging.getLogRecordFactory()


def mask_output() -> None:
    """From now on, nothing that this process prints or logs holds a secret; once is enough.

    Streams that are not the interpreter's own, such as a notebook's, are left alone.
    """
    # What the environment holds is read anew: it may have been completed since the import.
    learn(())
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            setattr(sys, name, MaskedStream(stream))
    logging.setLogRecordFactory(_masked_record)


class MaskedStream(io.TextIOWrapper):
    """Writes what ``stream`` would have written, without secrets."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        stream.flush()
        # Without a reference to it, it would close what both write to.
        self._plain = stream
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str) -> int:
        super().write(redact(text))
        return len(text)


def _masked_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = _plain_record(*args, **kwargs)
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        # Arguments that do not fit their format: the handlers report the line that logs so.
        return record
    record.msg, record.args = presentable(message, LONGEST_LOG_ENTRY), ()
    if record.exc_info and record.exc_info[0] is not None:
        # Formatters take this where it is there already.
        trace = logging.Formatter().formatException(record.exc_info)
        record.exc_text = presentable(trace, LONGEST_LOG_ENTRY)
    return record
