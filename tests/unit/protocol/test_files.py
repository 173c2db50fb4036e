"""A file that an earlier run left is whole, or missing, or named in one line."""

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.files import (
    is_whole_checkpoint,
    stored_config,
    stored_json,
    stored_object,
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
