"""A job's folder tells what decided its result."""

from types import SimpleNamespace

from omegaconf import OmegaConf

from lightning_hpo.fitting.provenance import note_data, note_handed, recorded

CONFIG = OmegaConf.create(
    {"seed": 3, "lr": "${study.lr}", "study": {"lr": 0.1, "storage": "postgresql://u:p@h/d"}}
)


def test_configuration_versions_commit_threads_and_data_are_recorded(tmp_path):
    with recorded(CONFIG, tmp_path):
        so_far = OmegaConf.load(tmp_path / "provenance.yaml")
        for sha256 in ("abc", "of another fold, which has the same data"):
            note_data(SimpleNamespace(sha256=sha256))
        note_handed("model", {"seed": 1, "num_classes": 10})
    found = OmegaConf.load(tmp_path / "provenance.yaml")
    assert found == {**so_far, "data_sha256": "abc", "model_was_handed": ["num_classes", "seed"]}
    assert set(so_far) == {"threads", "versions", "git_commit"}
    assert OmegaConf.load(tmp_path / "config.yaml") == {
        "seed": 3,
        "lr": 0.1,
        "study": {"lr": 0.1, "storage": None},
    }


def test_data_without_a_checksum_are_recorded_as_such_and_outside_a_job_nothing_is(tmp_path):
    with recorded(CONFIG, tmp_path):
        note_data(object())
    note_data(SimpleNamespace(sha256="after the job"))
    assert OmegaConf.load(tmp_path / "provenance.yaml").data_sha256 is None
