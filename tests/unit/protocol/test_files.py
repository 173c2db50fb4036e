"""A file that an earlier run left is whole, or missing, or named in one line."""

import pytest
import torch
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.files import (
    is_whole_checkpoint,
    stored_config,
    stored_json,
    stored_object,
    write_json,
)

DAMAGED = [b"", b'{"a": ', b"\xff\xfe\x00\x9d", b"[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_json_is_missing(tmp_path, content):
    path = tmp_path / "result.json"
    assert stored_json(path) is None
    path.write_bytes(content)
    assert stored_json(path) is None
    assert not is_whole_checkpoint(path)


def test_json_of_another_kind_is_no_object(tmp_path):
    (tmp_path / "list.json").write_text("[1]")
    assert stored_json(tmp_path / "list.json") == [1]
    assert stored_object(tmp_path / "list.json") is None
    assert stored_json(tmp_path) is None


@pytest.mark.parametrize("content", [*DAMAGED[:3], b"a: [", b"- 1", b"a: 1", b"a: ${"])
def test_a_damaged_configuration_is_named(tmp_path, content):
    path = tmp_path / "config.yaml"
    with pytest.raises(UserError, match=r"config\.yaml must be as its job left it"):
        stored_config(path, "study")
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"config\.yaml must be as its job left it"):
        stored_config(path, "study")


def test_a_whole_configuration_is_read(tmp_path):
    OmegaConf.save({"study": {"name": "s"}}, tmp_path / "config.yaml")
    assert stored_config(tmp_path / "config.yaml", "study.name").study.name == "s"


# Rule: what is missing in a configuration that is whole otherwise is named; null is missing too.
@pytest.mark.parametrize("content", [{"study": {"name": None}}, {"study": {}}, {}])
def test_the_key_that_a_configuration_lacks_is_named(tmp_path, content):
    OmegaConf.save(content, tmp_path / "config.yaml")
    with pytest.raises(UserError, match=r"but: it has no study\.name\. Put back a copy of it"):
        stored_config(tmp_path / "config.yaml", "study.name")


# Rule: a file is replaced whole: its reader sees what was there before, or all that is new.
def test_json_is_written_whole_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    for content in ({"value": 0.25, "folds": [1, None]}, {"name": "ü"}):
        write_json(path, content)
        assert stored_json(path) == content
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_content_that_json_does_not_know_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"value": 0.25})
    with pytest.raises(TypeError):
        write_json(path, {"value": object()})
    assert stored_json(path) == {"value": 0.25}


def test_a_file_that_torch_saved_is_whole_until_its_end_is_missing(tmp_path):
    path = tmp_path / "best.ckpt"
    torch.save({"weight": torch.ones(3)}, path)
    assert is_whole_checkpoint(path)
    path.write_bytes(path.read_bytes()[:-30])
    assert not is_whole_checkpoint(path)
