"""The door of the command line: in which order it opens, and what it leaves to wait for."""

import subprocess
import sys

import pytest

from lightning_hpo import __main__ as door
from lightning_hpo import entry


# Rule: streams first, since what is opened next would take the number of one that is closed; then
# the interrupt, which has nothing to close while the command line is imported.
@pytest.mark.parametrize("status", [0, 1, 130])
def test_the_door_opens_in_order_and_ends_with_the_commands_status(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def main() -> int:
        steps.append("command")
        return status

    monkeypatch.setattr(door, "settle_streams", lambda: steps.append("streams"))
    monkeypatch.setattr(door.caller, "enter", lambda: steps.append("study"))
    monkeypatch.setattr(door, "quit_at_once", lambda: steps.append("interrupt"))
    monkeypatch.setattr(entry, "main", main)
    with pytest.raises(SystemExit) as ended:
        door.console()
    assert ended.value.code == status
    assert steps == ["streams", "study", "interrupt", "command"]


# Rule: whoever presses Ctrl-C at once ends a process that has loaded nothing heavy yet.
def test_before_the_door_is_open_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, lightning_hpo.__main__;"
        "print([m for m in ('torch', 'hydra', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
