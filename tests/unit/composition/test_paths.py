"""Relative paths of a configuration, seen from the folder in which the command was typed."""

import pytest

from lightning_hpo.composition.paths import anchored, anchored_url


def test_a_key_that_names_a_path_has_one_also_where_nothing_lies_yet(tmp_path):
    given = {
        "_target_": "my.Data",
        "data_dir": "data",
        "files": ["a.csv", "b.csv"],
        "nested": {"root": "x/y", "test_csv": None},
        "name": "data",
        "batch_size": 32,
    }
    found = anchored(given, tmp_path)
    assert found == {
        "_target_": "my.Data",
        "data_dir": f"{tmp_path}/data",
        "files": [f"{tmp_path}/a.csv", f"{tmp_path}/b.csv"],
        "nested": {"root": f"{tmp_path}/x/y", "test_csv": None},
        "name": "data",
        "batch_size": 32,
    }


def test_another_text_is_a_path_when_it_looks_like_one_and_is_there(tmp_path):
    (tmp_path / "weights.pt").touch()
    (tmp_path / "relu").touch()
    given = {"init": "weights.pt", "other": "none.pt", "activation": "relu", "save_dir": "out"}
    assert anchored(given, tmp_path, by_key=False) == given | {"init": f"{tmp_path}/weights.pt"}


@pytest.mark.parametrize("text", ["/data", "~/data", "https://host/data", "${oc.env:DATA}", ""])
def test_what_is_no_relative_path_stays(text, tmp_path):
    assert anchored({"root": text}, tmp_path) == {"root": text}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///mine.db", "sqlite:////home/mine.db"),
        ("sqlite:///a/mine.db?timeout=9", "sqlite:////home/a/mine.db?timeout=9"),
        ("sqlite+pysqlite:///mine.db", "sqlite+pysqlite:////home/mine.db"),
        ("sqlite:////abs/mine.db", "sqlite:////abs/mine.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_sqlite_file_gets_an_absolute_path(url, expected, tmp_path):
    home = tmp_path
    assert anchored_url(url, home) == expected.replace("/home", str(home))
