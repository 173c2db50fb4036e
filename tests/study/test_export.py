"""Networks of real studies as files, opened in programs that know nothing of them.

The outputs that the refit's own test has left are what a file must give.
"""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import warm

sys.path.insert(0, str(Path(__file__).parent))
import kept
from command import HERE, TIMEOUT_S

from lightning_hpo import UserError, load_study
from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.samples import read_samples

pytestmark = pytest.mark.sweep

FILES = {
    "onnx": "model.onnx",
    "torchscript": "model.ts",
    "torch": "model.pt2",
    "safetensors": "model.safetensors",
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two refits, with its test images in ``test.npy`` beside ``studies``."""
    return kept.digits(tmp_path_factory) / "studies" / "digits"


def python(cwd: Path, *words: str, cold: bool = True, **how: bool) -> tuple[int, str, str]:
    """Exit status, standard output and error; the user's own modules can be imported."""
    env = os.environ | {"PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}"}
    done = warm.run(words, cold=cold, cwd=cwd, env=env, timeout=TIMEOUT_S, **how)
    return done.returncode, done.stdout, done.stderr


def export(study_dir: Path, *words: str, cold: bool = False) -> tuple[int, str, str]:
    named = str(study_dir.relative_to(study_dir.parents[1]))
    command = ("-m", "lightning_hpo.export", named, *words)
    return python(study_dir.parents[1], *command, cold=cold, strict=True)


def expected(study_dir: Path, *names: str) -> np.ndarray:
    """Probabilities by the mean of what the refits' tests have left."""
    kept = [read_samples(FinalFolder(study_dir / "final").job(name).samples) for name in names]
    logits = np.mean([each.output for each in kept if each is not None], axis=0)
    found = stored_object(study_dir / "final" / "calibration.json")
    assert found is not None
    temperature = found["temperature"] if len(names) == 1 else 1
    return torch.from_numpy(logits.astype(np.float64) / temperature).softmax(1).numpy()


def code_for(card: Path, file: str) -> str:
    """The Python of the card that opens the file."""
    blocks = re.findall(r"```python\n(.*?)```", card.read_text(), re.S)
    (found,) = [block for block in blocks if f'"{file}"' in block]
    return found


# Rule: what the card says opens the file, where this package is needed by the weights alone.
@pytest.mark.parametrize("to", FILES)
def test_a_file_gives_elsewhere_what_the_networks_own_test_gave(to: str, digits: Path) -> None:
    status, out, err = export(digits, "--to", to, cold=to == "torch")
    assert status == 0
    assert out.startswith(f"studies/digits/export/{FILES[to]}, ")
    assert "uint8 (N, 1, 8, 8) to float32 probabilities (N, 10)" in out
    assert "agrees with the study's own outputs on 256 test samples" in out
    assert err == "" or to == "torchscript"

    code = code_for(digits / "export" / "model_card.md", FILES[to])
    mine = 'torch.from_numpy(np.load("../../../test.npy"))'
    mine = 'np.load("../../../test.npy")' if to == "onnx" else mine
    code, n = re.subn(r"samples = .*", f"import numpy as np; samples = {mine}", code)
    assert n == 1
    tail = "import sys; np.save('out.npy', np.asarray(probabilities))\n"
    tail += "print('lightning_hpo' in sys.modules, 'torch' in sys.modules)\n"
    # A warm start has torch already, and nothing of this package.
    status, out, err = python(digits / "export", "-c", f"{code}\n{tail}", cold=to == "onnx")
    assert (status, out.split()) == (0, [str(to == "safetensors"), str(to != "onnx")]), err
    given = np.load(digits / "export" / "out.npy")
    np.testing.assert_allclose(given, expected(digits, "refit"), atol=1e-5)


def test_the_code_on_the_card_runs_as_it_stands(digits: Path) -> None:
    load_study(digits).export("torch")
    code = code_for(digits / "export" / "model_card.md", "model.pt2")
    code += "\nprint(*probabilities.shape)"
    status, out, err = python(digits / "export", "-c", code, cold=False)
    assert (status, out) == (0, "3 10\n"), err


def test_python_exports_the_ensemble(digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.pt2"
    found = load_study(digits).export("torch", ensemble=True, out=out)
    assert (found.path, found.card, found.network) == (out, tmp_path / "model_card.md", "ensemble")
    assert (found.size, found.interface.temperature) == (out.stat().st_size, 1)
    assert found.difference < 1e-5
    images = torch.from_numpy(np.load(digits.parents[1] / "test.npy"))
    given = torch.export.load(out).module()(images).detach()
    np.testing.assert_allclose(given, expected(digits, "refit", "refit_1"), atol=1e-5)
    text = found.card.read_text()
    assert "the mean of the study's 2 refits" in text
    assert re.search(r"This network on the test set of 360 samples: test/accuracy = .*Wilson", text)


def test_a_mistake_is_one_line_and_leaves_no_file(digits: Path) -> None:
    before = sorted((digits / "export").iterdir())
    for words, why in (
        (("--to", "pickle"), "a format must be one of onnx, torchscript, torch, safetensors"),
        (("--to", "torch", "--out", "x.onnx"), "must end in .pt2, got x.onnx"),
    ):
        status, out, err = export(digits, *words)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert why in err
    with pytest.raises(UserError, match="in a folder that exists"):
        load_study(digits).export("torch", out=digits / "none" / "x.pt2")
    assert sorted((digits / "export").iterdir()) == before


# Rule: a user's own module goes too, without a preprocessing that nobody knows; here in float64.
def test_a_users_own_module_and_data(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept.copied(kept.awkward(tmp_path_factory), tmp_path)
    study_dir = tmp_path / "studies" / "awkward"
    status, out, err = export(study_dir, "--to", "onnx")
    assert status == 0
    assert "float32 (N, 64) to float32 probabilities (N, 10)" in out
    assert err.count("\n") == 1 and "without any preprocessing" in err
    assert "nothing is prepared inside the file" in (
        (study_dir / "export" / "model_card.md").read_text()
    )
