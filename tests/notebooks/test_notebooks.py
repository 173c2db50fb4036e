"""The notebooks: stored clean, without framework code; every cell runs, with pictures, in a minute.

A run happens in a copy of their folder, in a kernel of its own, with the package of this clone.
"""

import ast
import base64
import os
import resource
import shutil
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import nbformat
import psutil
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from lightning_hpo import load_study
from lightning_hpo.data.fashion_mnist import SYSTEM_DIR

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
TIMEOUT_S = 240  # of one cell
# Of the processors, for a whole notebook with all that it starts. Hardly anything in it waits, so
# by the clock it takes no longer on two cores that have nothing else to do. Beside others a process
# needs more of a core, up to half as much again, which the notebooks leave room for.
LIMIT_S = 60
# How many each one shows below its cells.
PICTURES = {
    "01_first_study": 1,
    "02_regression": 2,
    "03_classification": 2,
    "04_see_inside": 6,
    "05_your_own_model_and_data": 1,
    "06_predict_and_export": 1,
    "07_own_model_from_python": 1,
}
FASHION_MNIST = "03_classification"
OWN_MODEL = "07_own_model_from_python"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lightning_hpo"


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[str]:
    """Its cells of code, with a line such as ``%matplotlib inline`` as the call that it is."""
    plain = TransformerManager().transform_cell
    return [plain(cell.source) for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_those_that_the_first_one_leads_to():
    assert NOTEBOOKS == [
        "01_first_study",
        "02_regression",
        "03_classification",
        "04_see_inside",
        "05_your_own_model_and_data",
        "06_predict_and_export",
        "07_own_model_from_python",
    ]
    for name, following in pairwise(NOTEBOOKS):
        assert f"({following}.ipynb)" in read(name).cells[-1].source


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_without_results(name):
    notebook = read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count, cell.metadata) == ([], None, {})


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_words_before_each_cell_of_code_say_what_it_shows(name):
    kinds = [cell.cell_type for cell in read(name).cells]
    assert set(pairwise(kinds)) == {("markdown", "code"), ("code", "markdown")}
    assert kinds[0] == "markdown"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_uses_the_package_and_defines_nothing_but_its_model(name):
    trees = [ast.parse(source) for source in code(read(name))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    assert classes == ({"Tumours", "Net"} if name == OWN_MODEL else set())
    assert name == OWN_MODEL or not [node for node in nodes if isinstance(node, defined)]
    start = "study = search(" if name == OWN_MODEL else "study = run("
    assert start in "\n".join(code(read(name)))


# Rule: what a notebook shows is public, and may be copied.
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_imports_from_the_package_itself(name):
    trees = [ast.parse(source) for source in code(read(name))]
    imports = [node for tree in trees for node in ast.walk(tree)]
    modules = {node.module for node in imports if isinstance(node, ast.ImportFrom)}
    names = {a.name for node in imports if isinstance(node, ast.Import) for a in node.names}
    assert "lightning_hpo" in modules
    assert not [m for m in modules | names if m.startswith("lightning_hpo.")]
    assert "subprocess" not in modules | names


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    if name == FASHION_MNIST and not (Path(SYSTEM_DIR).is_dir() or CACHE.is_dir()):
        pytest.skip("needs Fashion-MNIST: make data")
    folder = tmp_path / "notebooks"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("studies", "__pycache__", ".*"))
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    notebook = read(name)
    before_s = processor_s()
    execute(notebook, folder)
    took_s = processor_s() - before_s
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    outputs = [output for cell in cells for output in cell.outputs]
    # Neither a traceback nor a warning.
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    widths = [width_px(o.data["image/png"]) for o in outputs if "image/png" in o.get("data", {})]
    assert len(widths) == PICTURES[name] and min(widths) >= 500
    assert list(folder.glob("studies/*/report.html"))
    assert took_s < LIMIT_S
    if name == OWN_MODEL:
        # Rule: whoever opens the study finds the classes of its notebook, here in another process.
        module = load_study(folder / "studies" / "net").model()
        assert type(module).__module__.startswith("notebook_")


@pytest.mark.sweep
def test_a_cell_that_fails_leaves_no_process(tmp_path):
    lines = ["import subprocess", "child = subprocess.Popen(['sleep', '600'])", "print(child.pid)"]
    cells = ["\n".join(lines), "raise KeyError('the second cell')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(Exception, match="the second cell"):
        execute(notebook, tmp_path)
    assert not psutil.pid_exists(int(notebook.cells[0].outputs[0].text))


def processor_s() -> float:
    """Of all processes that this one has started and that have ended, with theirs."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def width_px(png: str) -> int:
    data = base64.b64decode(png)
    assert data.startswith(b"\x89PNG")
    (width,) = struct.unpack(">I", data[16:20])
    return width


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells in ``folder``; their outputs enter the notebook."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=TIMEOUT_S,
        resources={"metadata": {"path": str(folder)}},
    )
    with _session_ended(client):
        client.execute()


@contextmanager
def _session_ended(client: object) -> Iterator[None]:
    """A kernel leads a session of its own; what it has started and not ended is killed."""
    kernels: list[int] = []
    client.on_notebook_start = lambda notebook: kernels.append(client.km.provisioner.pid)
    try:
        yield
    finally:
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getsid(process.pid) in kernels:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait(10)
