"""Standard streams that cannot take what is written: nothing is lost but the words."""

import io
import subprocess
import sys

import pytest

from lightning_hpo.output.terminal import take_any_text

PROGRAM = """
import sys
from lightning_hpo.output.terminal import settle_streams
settle_streams()
for line in range(100_000):
    print("0.5 ± 0.1", flush=True)
open({proof!r}, "w").write("done")
"""


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "0.5 +- 0.1 \\udcff"), ("latin-1", "0.5 ± 0.1 \\udcff")]
)
def test_what_an_encoding_lacks_is_shown_in_another_way(encoding, shown):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding)
    take_any_text(stream)
    stream.write("0.5 ± 0.1 \udcff")
    stream.flush()
    assert raw.getvalue().decode(encoding) == shown


@pytest.mark.parametrize("redirected", ["| head -1", ">&-", ">&- 2>&- <&-"])
def test_a_program_that_nobody_listens_to_does_its_work_all_the_same(tmp_path, redirected):
    proof = tmp_path / "proof"
    program = PROGRAM.format(proof=str(proof))
    command = f'"$0" -c "$1" {redirected}; exit "${{PIPESTATUS[0]}}"'
    ended = subprocess.run(
        ["bash", "-c", command, sys.executable, program], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert proof.read_text() == "done"
