"""Where MLflow's runs lie, and what its variable is afterwards."""

import os

import pytest

from lightning_hpo.composition.mlflow_files import place_kept, tracking_uri, with_safe_names


def test_what_is_given_wins_over_the_environment_and_files_come_last(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri("http://other", "/s/mlruns") == "http://other"
    assert tracking_uri(None, "/s/mlruns") == "http://tracker:5000"
    assert "MLFLOW_ALLOW_FILE_STORE" not in os.environ
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri(None, "/s/mlruns") == "file:/s/mlruns"
    # MLflow keeps files only for those who say so.
    assert os.environ["MLFLOW_ALLOW_FILE_STORE"] == "true"


def test_an_answer_of_the_users_own_stays(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "false")
    tracking_uri("file:/s/mlruns", "")
    assert os.environ["MLFLOW_ALLOW_FILE_STORE"] == "false"


@pytest.mark.parametrize("before", [None, "http://tracker:5000"])
def test_the_variable_is_put_back(monkeypatch, before) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if before is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    with pytest.raises(KeyError), place_kept():
        os.environ["MLFLOW_TRACKING_URI"] = "file:/of/one/fit"
        raise KeyError
    assert os.environ.get("MLFLOW_TRACKING_URI") == before


def test_names_that_mlflow_takes() -> None:
    given = {"+width": 1, "model.net[0]": 2, "hydra/x": 3, "a-b_c.d e:f": 4}
    expected = {"_width": 1, "model.net_0_": 2, "hydra/x": 3, "a-b_c.d e:f": 4}
    assert with_safe_names(given) == expected
