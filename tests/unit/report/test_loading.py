"""A few lines of Python that open an exported file."""

import pytest

from lightning_hpo.jobs.exporting.kinds import Interface
from lightning_hpo.report.loading import snippet

TAKES = Interface((1, 8, 8), "uint8", 0, 16, ("a", "b"), 2.5, prepares=True)


@pytest.mark.parametrize("kind", ["onnx", "torchscript", "torch", "safetensors"])
def test_five_lines_open_a_file(kind: str) -> None:
    lines = snippet(kind, 'a "name"', TAKES).splitlines()
    assert sum(bool(line) for line in lines) <= 5
    compile("\n".join(lines), kind, "exec")
    assert '"a \\"name\\""' in "\n".join(lines)
