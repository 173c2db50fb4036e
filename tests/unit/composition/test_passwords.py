"""Secrets leave the configuration before anything of it is stored, or the run ends."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from lightning_hpo.composition import passwords
from lightning_hpo.composition.passwords import HidePasswords, hide_passwords, referred_tree
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError

URL = "postgresql://me:5ecret@db:5432/hpo"
STORAGE = "${oc.env:LIGHTNING_HPO_STORAGE}"
FIRST, SECOND = "${oc.env:LIGHTNING_HPO_SECRET_1}", "${oc.env:LIGHTNING_HPO_SECRET_2}"


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["PW"] = "exported"
    yield
    os.environ.clear()
    os.environ.update(before)


def composed(*typed: str) -> DictConfig:
    with initialize_config_dir(str(config_dir())):
        return compose("config", list(typed), return_hydra_config=True)


def hidden(*typed: str) -> tuple[list[str], DictConfig]:
    """The overrides as they are stored, and the whole configuration, which has no secret left."""
    config = composed(*typed)
    before = {key: resolved(config, key) for key in ("study", "a", "note", "notes")}
    hide_passwords(config)
    assert "5ecret" not in OmegaConf.to_yaml(config)
    assert {key: resolved(config, key) for key in before} == before
    return list(OmegaConf.to_container(config.hydra.overrides.task, resolve=False)), config


def resolved(config: DictConfig, key: str) -> Any:
    """What a job sees, which hiding does not change."""
    node = config.get(key)
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


# The interpolation cannot be resolved before there is a job: texts are read as they were written.
def test_interpolations_of_jobs_keep_no_password_in_sight() -> None:
    typed = ("hydra.sweep.subdir=${hydra.job.num}", "model.filters_1=${w}")
    assert hidden(f"study.storage={URL}", *typed)[0] == [
        f"study.storage='{STORAGE}'",
        "model.filters_1=${w}",
    ]


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("+note=https://me:5ecret@x.org/y", f"+note='{FIRST}'"),
        ("+notes=[https://me:5ecret@x.org/y,b]", f"+notes=['{FIRST}',b]"),
        ("+note='see https://me:5ecret@x.org, there'", f"+note='see {FIRST}, there'"),
        ("+a={b: {password: 5ecret, n: 1}}", f"+a={{b:{{password:'{FIRST}',n:1}}}}"),
        ("+a=[{password: 55555555}]", f"+a=[{{password:'${{oc.decode:{FIRST}}}'}}]"),
        ("+a.uses_secret=true", "+a.uses_secret=true"),
        ("+a.password=null", "+a.password=null"),
        ("+a.password=${oc.env:PW}", "+a.password=${oc.env:PW}"),
        ("+a.api_key=5ecret", f"+a.api_key='{FIRST}'"),
        ("study.storage=postgresql//me:5ecret@db/hpo", f"study.storage='{STORAGE}'"),
        ("study.storage='postgresql://me:p 5e@c,ret@db/h'", f"study.storage='{STORAGE}'"),
        (r"study.storage='mysql://me:5\'ecret@db/h'", f"study.storage='{STORAGE}'"),
        ("study.storage='mysql://me@db/h?password=5ecret'", f"study.storage='{STORAGE}'"),
        (
            "study.storage=postgresql://me:5ecret@${study.name}/h",
            f"study.storage='postgresql://me:{FIRST}@${{study.name}}/h'",
        ),
        # A password of one letter is replaced where it stands, not in the names around it.
        (
            "+note=postgresql://a:a@${study.name}/data",
            f"+note='postgresql://a:{FIRST}@${{study.name}}/data'",
        ),
        (
            "study.storage={_target_: a.Storage, url: 'mysql://me@db/h', args: {pwd: 5ecret}}",
            "study.storage={_target_:a.Storage,url:'mysql://me@db/h',args:{pwd:'" + FIRST + "'}}",
        ),
    ],
)
def test_a_typed_secret_becomes_a_reference_wherever_it_stands(typed: str, stored: str) -> None:
    assert hidden(typed)[0] == [stored]


def test_an_exported_storage_is_not_replaced_by_another_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTNING_HPO_STORAGE", URL)
    hidden(f"study.storage='{STORAGE}'", "+note=https://me:5ecret@x.org")
    assert os.environ["LIGHTNING_HPO_STORAGE"] == URL
    assert os.environ["LIGHTNING_HPO_SECRET_1"] == "https://me:5ecret@x.org"


# Jobs are composed again from the file: what it brings needs an override of its own.
def test_a_secret_of_a_file_gets_an_override(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n"
        f"study: {{storage: '{URL}'}}\n"
        "sources: [{url: 'https://u:5ecret@x/y', n: null}, plain]\n"
        "hydra: {job: {name: 'https://u:5ecret@x/z'}}\n"
    )
    stored, config = hidden("+experiment=mine", f"hydra.searchpath=[file://{tmp_path}]")
    assert stored == [
        "+experiment=mine",
        f"study.storage='{STORAGE}'",
        f"sources=[{{url:'{SECOND}',n:null}},'plain']",
    ]
    of_hydra = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)
    assert of_hydra[-1] == f"hydra.job.name='{FIRST}'"
    with initialize_config_dir(str(config_dir())):
        again = compose("config", [*stored, *of_hydra], return_hydra_config=True)
    assert "5ecret" not in OmegaConf.to_yaml(again)
    assert again.sources[0].url == "https://u:5ecret@x/y"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        (["+hydra.job.env_set.DB=https://me:5ecret@x"], "hydra.job.env_set.DB"),
        (["study.name=https://me:5ecret@x"], "study.name"),
        (
            ["+hydra.sweeper.params={note: 'choice(https://me:5ecret@x,b)'}"],
            "hydra.sweeper.params.note",
        ),
        (
            ["+note=https://me:5ecret@x", "hydra.sweep.subdir=${hydra.job.override_dirname}"],
            "one in note",
        ),
    ],
)
def test_what_cannot_be_hidden_is_refused(typed: list[str], key: str) -> None:
    config = composed(*typed)
    with pytest.raises(UserError) as refused:
        hide_passwords(config)
    assert key in str(refused.value)
    assert "5ecret" not in str(refused.value)


def test_a_secret_as_a_key_is_refused() -> None:
    config = composed()
    OmegaConf.update(config, "data", {"https://me:5ecret@x": 1}, force_add=True)
    with pytest.raises(UserError, match=r"data\.https://me:\*\*\*@x must not hold a password"):
        hide_passwords(config)


def searched(line: str) -> list[str]:
    """The same of a search, which only a sweep may compose."""
    config = composed()
    with open_dict(config.hydra.overrides), read_write(config.hydra.overrides):
        config.hydra.overrides.task.append(line)
    hide_passwords(config)
    return list(OmegaConf.to_container(config.hydra.overrides.task, resolve=False))


def test_a_search_among_urls_is_one_among_references() -> None:
    line = "+note=choice(https://u:5ecret@x,'https://v:5ecret@y',b)"
    assert searched(line) == [f"+note=choice({FIRST},'{SECOND}',b)"]


# Without quotes, the comma of a password makes a search of two storages.
@pytest.mark.parametrize(
    "line", ["study.storage=mysql://me:p,5ecret@db/h", "+db.password=choice(5ecret,b)"]
)
def test_a_password_cannot_be_searched(line: str) -> None:
    with pytest.raises(UserError, match="must have one value, got several") as refused:
        searched(line)
    assert "5ecret" not in str(refused.value)


@pytest.mark.parametrize("piece", ["a", "a://", "https://u:p@x ", "${", "x='"])
def test_long_values_are_searched_in_time_that_grows_with_their_length(piece: str) -> None:
    config = composed()
    OmegaConf.update(config, "data.note", piece.replace("${", "$ {") * 6_000, force_add=True)
    started_s = time.perf_counter()
    hide_passwords(config)
    assert time.perf_counter() - started_s < 10


def test_a_text_with_passwords_must_fit_a_variable() -> None:
    config = composed()
    OmegaConf.update(config, "data.note", "https://u:5ecret@x " * 6_000, force_add=True)
    with pytest.raises(UserError, match=r"at most 100000 bytes long, got 114000 in data\.note"):
        hide_passwords(config)


# Of an exception in a callback Hydra makes a warning, and would go on to write the password.
def test_a_failure_to_hide_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(config: Any) -> None:
        raise RuntimeError(f"broken at {URL}")

    monkeypatch.setattr(passwords, "hide_passwords", fail)
    for start in (HidePasswords().on_run_start, HidePasswords().on_multirun_start):
        with pytest.raises(SystemExit) as ended:
            start(OmegaConf.create({}))
        assert ended.value.code == "lightning-hpo: broken at postgresql://me:***@db:5432/hpo"


def test_a_resolved_configuration_gets_its_references_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_URL", "https://me:5e'cret@x.org/y")
    monkeypatch.setenv("PLAIN", "5ecret-w0rd")
    resolved = {
        "url": "https://me:5e'cret@x.org/y",
        "more": ["see https://me:5e'cret@x.org/y", 1, None],
        "built": "mysql://me:5ecret-w0rd@db",
        "password": "5ecret-of-a-resolver",
    }
    assert referred_tree(resolved) == {
        "url": "${oc.env:MY_URL}",
        "more": ["see ${oc.env:MY_URL}", 1, None],
        "built": "mysql://me:${oc.env:PLAIN}@db",
        "password": "***",
    }
