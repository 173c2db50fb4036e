"""A storage's password stays in the environment: in no file, log, database or process list."""

import time
from pathlib import Path

import psutil
import psycopg
import pytest
import warm
from omegaconf import OmegaConf
from servers import PASSWORD

from lightning_hpo.composition.passwords import hide_passwords, referred
from lightning_hpo.composition.vault import VARIABLE
from lightning_hpo.output.masking import redact
from lightning_hpo.report.study.page import build_report

URL = "postgresql://me:5ecret@db:5432/hpo"
REFERENCE = "${oc.env:LIGHTNING_HPO_STORAGE}"


def composed(storage: str, *task: str):
    return OmegaConf.create(
        {
            "study": {"storage": storage},
            "hydra": {
                "sweeper": {"storage": "${study.storage}"},
                "overrides": {"task": list(task), "hydra": []},
            },
        }
    )


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")


def test_a_typed_url_becomes_a_reference_wherever_it_stands(monkeypatch):
    config = composed(URL, f"study.storage='{URL}'", "seed=1")
    hide_passwords(config)
    assert "5ecret" not in OmegaConf.to_yaml(config)
    assert config.hydra.overrides._get_node("task")._content[0]._value() == (
        f"study.storage='{REFERENCE}'"
    )
    assert config.study.storage == config.hydra.sweeper.storage == URL


def test_a_url_from_a_file_gets_an_override_since_jobs_are_composed_again():
    config = composed(URL)
    hide_passwords(config)
    stored = OmegaConf.to_container(config.hydra.overrides, resolve=False)
    assert stored == {"task": [f"study.storage='{REFERENCE}'"], "hydra": []}


@pytest.mark.parametrize("url", ["postgresql://me@db/hpo", "sqlite:///a.db", "http://h/?a=b"])
def test_a_url_without_a_password_stays_as_it_is(url):
    config = composed(url, f"study.storage={url}")
    before = OmegaConf.to_yaml(config)
    hide_passwords(config)
    assert OmegaConf.to_yaml(config) == before


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "postgresql://me:***@db:5432/hpo"),
        ("mysql://me:p@5ecret@db/hpo", "mysql://me:***@db/hpo"),
        ("mysql://me@db/hpo?password=5ecret&ssl=1", "mysql://me@db/hpo?password=***&ssl=1"),
    ],
)
def test_people_see_urls_without_their_passwords(url, shown):
    assert redact(f"cannot reach {url}: refused") == f"cannot reach {shown}: refused"


def test_a_command_to_type_again_names_the_variable(monkeypatch):
    monkeypatch.setenv(VARIABLE, URL)
    assert referred(f"study.storage={URL}") == f"study.storage={REFERENCE}"


def command_lines(controller: psutil.Process) -> set[str]:
    found = set()
    for child in controller.children(recursive=True):
        try:
            found.add(" ".join(child.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.sweep
@pytest.mark.parametrize("place", ["typed", "file", "mapping"])
def test_a_whole_study_leaves_no_password_anywhere(
    machines, postgres_url, tmp_path, monkeypatch, place
):
    words = ["study.n_trials=4", "acts={1: report, 2: die, 3: blab}", "study.max_retries=1"]
    # Nobody but a job can resolve it, and a study has more passwords than that of its storage.
    words += ["+late=${hydra.job.num}", f"+note=https://me:{PASSWORD}@example.org/x"]
    if place == "typed":
        words.append(f"study.storage='{postgres_url}'")
    elif place == "mapping":
        url = postgres_url.replace(f":{PASSWORD}@", "@").replace("://", "+psycopg://")
        options = f"engine_kwargs: {{connect_args: {{password: {PASSWORD}}}}}"
        words.append(
            f"study.storage={{_target_: optuna.storages.RDBStorage, url: '{url}', {options}}}"
        )
    else:
        own = Path(tmp_path / "own" / "study")
        own.mkdir(parents=True)
        (own / "mine.yaml").write_text(f"defaults: [default]\nstorage: {postgres_url}\n")
        words += ["study=mine", f"hydra.searchpath=[file://{own.parent}]"]
    machine = machines.start("a", *words, cold=place == "typed")
    controller, listed = psutil.Process(machine.process.pid), set()
    while machine.process.poll() is None:
        listed |= command_lines(controller) | warm.spawned_words(machine.process)
        time.sleep(0.02)
    status, out, err = machine.end()
    assert (status, err) == (0, "")
    assert PASSWORD not in out
    assert any("spawn_main" in line for line in listed)
    assert not [line for line in listed if PASSWORD in line]
    files = [path for path in machine.folder.rglob("*") if path.is_file()]
    assert {"overrides.yaml", "hydra.yaml", "config.yaml", "results.json", "report.html"} <= {
        path.name for path in files
    }
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    rows = everything_in(postgres_url)
    assert "no answer from" in rows
    assert PASSWORD not in rows
    if place == "typed":
        monkeypatch.setenv(VARIABLE, postgres_url)
        page = build_report(machine.study_dir).read_text()
        assert "no answer from postgresql://postgres:***@" in page
        assert PASSWORD not in page


def everything_in(url: str) -> str:
    """All rows of all tables as text."""
    with psycopg.connect(url) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        tables = [name for (name,) in connection.execute(query)]
        assert "study_system_attributes" in tables
        return "\n".join(
            str(row) for table in tables for row in connection.execute(f"SELECT * FROM {table}")
        )
