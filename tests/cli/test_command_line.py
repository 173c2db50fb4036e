"""The command line as a user meets it: one line for each mistake, and quick answers to questions.

Every case runs in a process and in a folder of its own.
"""

import gzip
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

import pytest
import torch
import warm

from lightning_hpo.data.fashion_mnist import CHECKSUMS

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120
SEARCH = "model.dropout=interval(0, 0.5)"
HEAVY = {"torch", "torchvision", "pytorch_lightning", "torchmetrics", "sklearn", "matplotlib"}


def run(
    folder: Path, *words: str, flags: tuple[str, ...] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """``python -m lightning_hpo`` with these words, started in ``folder``."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return warm.run(
        [*flags, "-m", "lightning_hpo", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path} | env,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
    )


def refusal(folder: Path, *words: str) -> str:
    """The one line that refuses these words: status 1, no traceback, nothing trained."""
    done = run(folder, *words)
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("lightning-hpo: "), done.stderr
    assert "Traceback" not in done.stdout
    left = {path.name for path in folder.rglob("*")}
    assert not left & {"trials", "final", "metrics.csv", "results.json"}
    return lines[0]


# ---------------------------------------------------------------- mistakes found at once

# What is typed, and what the line must hold: the rule, the value and the way out.
AT_ONCE = {
    "experiment": (
        ["+experiment=cnn_dropuot"],
        ["experiment/cnn_dropuot", "cnn_baseline", "Did you mean 'cnn_dropout'?"],
    ),
    "budget": (["+budget=quik"], ["budget/quik", "Did you mean 'quick'?"]),
    "fixed parameter": (["model.droput=0.1"], ["model.droput", "Did you mean: 'dropout'?"]),
    "searched parameter": (
        ["model.droput=interval(0, 0.5)"],
        ["cannot be composed", "model.droput", "Did you mean: 'dropout'?"],
    ),
    "searched option": (
        ["optimizer=choice(sgd, adm)"],
        ["optimizer/adm", "adam adamw radam sgd", "Did you mean 'adam'?"],
    ),
    "trainer's key": (["trainer.max_epoch=3"], ["trainer.max_epoch", "'max_epochs'?"]),
    "sampler": (
        ["hydra/sweeper/sampler=tpee"],
        ["sampler/tpee", "random tpe", "Did you mean 'tpe'?"],
    ),
    "launcher": (["hydra/launcher=wokers"], ["launcher/wokers", "Did you mean 'workers'?"]),
    "pruner": (["pruner=mediann"], ["pruner/mediann", "Did you mean 'median'?"]),
    "sampler that is no more": (
        ["hydra/sweeper/sampler=motpe"],
        ["got motpe", "hydra/sweeper/sampler=tpe"],
    ),
    "pruner without a bound": (["pruner=threshold"], ["pruner.upper=...", "units of val/loss"]),
    "pruner with no bound": (
        ["pruner=threshold", "pruner.upper=null"],
        ["Either lower or upper must be specified"],
    ),
    "start point": (
        [SEARCH, "study.enqueue=[{model.dropuot: 0.1}]"],
        ["study.enqueue must name searched parameters, got model.dropuot"],
    ),
    "reversed interval": (
        ["model.dropout=interval(0.5, 0.1)"],
        ["low <= high", "model.dropout=interval(0.5, 0.1)"],
    ),
    "reversed range": (
        ["model.filters_1=range(64, 16)"],
        ["low < high", "model.filters_1=range(64, 16)"],
    ),
    "zero on a log scale": (
        ["optimizer.lr=tag(log, interval(0, 0.1))"],
        ["low > 0", "log", "optimizer.lr=tag(log, interval(0, 0.1))"],
    ),
    "null in a choice": (
        ["model.init=choice(null, xavier)"],
        [
            "model.init=choice(null, xavier): ",
            "Write a choice with null as a list: key=null, xavier",
        ],
    ),
    "direction against mode": (
        ["hydra.sweeper.direction=maximize", SEARCH],
        ["which is minimize, got hydra.sweeper.direction=maximize", "mode=max"],
    ),
    "time for the search": (["study.timeout_s=0", SEARCH], ["above 0", "study.timeout_s=0"]),
    "unbalanced bracket": (["model.dropout=interval(0, 0.5"], ["interval(0, 0.5"]),
    "mode": (["mode=smallest"], ["'min' or 'max'", "mode=smallest"]),
    "no option's name": (
        ["model=inf"],
        ["name of one of its options", "model=inf", "cnn, fc, mlp"],
    ),
    "failure rate": (
        [SEARCH, "hydra.sweeper.max_failure_rate=2"],
        ["must lie in [0, 1]", "hydra.sweeper.max_failure_rate=2.0"],
    ),
    "number of folds": (["cv.n_splits=abc"], ["integer of at least 2", "cv.n_splits=abc"]),
    "a single fold": (["cv.n_splits=1"], ["integer of at least 2", "cv.n_splits=1"]),
    "number of epochs": (["trainer.max_epochs=0"], ["at least 1", "trainer.max_epochs=0"]),
    "several devices": (
        ["trainer.devices=2"],
        ["strategy that spawns or forks", "trainer.devices=2", "add trainer.strategy=ddp_spawn"],
    ),
    "number of slots": (["study.n_jobs=0"], ["at least 1", "study.n_jobs=0"]),
    "number of trials": (["study.n_trials=many", SEARCH], ["n_trials", "many", "Integer"]),
    "no name": (["study.name=null"], ["study.name must be the name of one folder", "got null"]),
    "a search over names": (["study.name=a,b"], ["study.name says what the study is"]),
    "two folders": (
        ["study.dir=a", "hydra.sweep.dir=b"],
        ["both mean the study's folder", "study.dir=a", "hydra.sweep.dir=b"],
    ),
    # Hydra itself would go on after a callback's exception, and write what is to be hidden.
    "password that would be stored": (
        ["+hydra.job.env_set.DB=https://me:5ecret@db/hpo"],
        ["hydra.job.env_set.DB must not hold a password"],
    ),
    "password of a bare trial": (
        ["+hydra.job.env_set.DB=https://me:5ecret@db/hpo", "hydra.mode=RUN"],
        ["hydra.job.env_set.DB must not hold a password"],
    ),
    "password with a comma": (
        ["study.storage=mysql://me:p,5ecret@db/hpo"],
        ["study.storage must have one value", "needs quotes"],
    ),
    "misspelt storage": (
        ["study.storage=postgresql//me:5ecret@db/hpo"],
        ["study.storage must be a URL", "got 'postgresql//me:***@db/hpo'"],
    ),
    "folder of configurations": (["--config-dir", "nowhere"], ["directory", "nowhere"]),
}


@pytest.mark.parametrize("case", AT_ONCE)
def test_a_mistake_gets_one_line_at_once(case, tmp_path):
    words, phrases = AT_ONCE[case]
    line = refusal(tmp_path, "data=digits", *words)
    for phrase in phrases:
        assert phrase in line
    assert "5ecret" not in line
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


# Permissions would not stop root, a file in the way stops everybody.
@pytest.mark.parametrize("in_the_way", ["studies", "studies/study"])
def test_a_study_folder_that_cannot_be_written(in_the_way, tmp_path):
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("")
    line = refusal(tmp_path, "data=digits")
    for phrase in ("must be a writable folder", "got studies/study", "study.dir=..."):
        assert phrase in line


def test_the_traceback_is_there_for_who_asks(tmp_path):
    done = run(tmp_path, "model.droput=0.1", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")


# ---------------------------------------------------------------- found by data, model and device


@pytest.mark.sweep
@pytest.mark.parametrize("space", [[], [SEARCH]], ids=["no search", "search"])
def test_a_misspelt_monitor_is_found_before_any_training(space, tmp_path):
    line = refusal(tmp_path, "data=digits", "study.n_jobs=1", "monitor=val/los", *space)
    for phrase in ("'val/los' was not logged", "'val/accuracy', 'val/loss']", "'val/loss'?"):
        assert phrase in line


@pytest.mark.sweep
def test_more_folds_than_the_smallest_class_has_samples(tmp_path):
    line = refusal(tmp_path, "data=digits", "study.n_jobs=1", "cv.n_splits=1000")
    assert "must lie in [2, 139]" in line and "got cv.n_splits=1000" in line


@pytest.mark.sweep
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_where_there_is_none(tmp_path):
    line = refusal(tmp_path, "data=digits", "study.n_jobs=1", "trainer.accelerator=gpu")
    for phrase in ("trainer.accelerator=gpu needs a CUDA GPU", "none", "auto or cpu"):
        assert phrase in line


@pytest.mark.sweep
@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_data_file_that_is_not_what_its_authors_published(damage, tmp_path):
    raw = tmp_path / "cache" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    whole = gzip.compress(bytes(range(256)) * 100)
    content = {"truncated": whole[:-50], "altered": whole[:50] + b"\xff" + whole[51:]}[damage]
    for name in CHECKSUMS:
        (raw / name).write_bytes(content)
    line = refusal(tmp_path, "study.n_jobs=1", f"data.cache_dir={tmp_path / 'cache'}")
    first = next(iter(CHECKSUMS))
    assert str(raw / first) in line
    assert re.search(r"md5 must be [0-9a-f]{32} or .*, got [0-9a-f]{32}; delete the file", line)


# ---------------------------------------------------------------- questions

QUESTIONS = {
    "help": (["--help"], {}, "python -m lightning_hpo +experiment=cnn_dropout"),
    "configuration": (["--cfg", "job", "+experiment=cnn_l2"], {}, "name: cnn_l2"),
    "completion of an option": (
        ["-sc", "query=bash"],
        {"COMP_LINE": "lightning-hpo +experiment=fc_"},
        "+experiment=fc_baseline +experiment=fc_best +experiment=fc_search",
    ),
    "completion of a key": (
        ["-sc", "query=bash"],
        {"COMP_LINE": "lightning-hpo study.n_t"},
        "study.n_trials=",
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_without_torch(question, tmp_path):
    words, env, answer = QUESTIONS[question]
    done = run(tmp_path, *words, flags=("-X", "importtime"), **env)
    assert done.returncode == 0
    assert answer in done.stdout
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "lightning_hpo.entry" in imported
    assert not HEAVY & imported
    assert not list(tmp_path.iterdir())


# Measured: 0.2 to 0.3 s. The bound leaves room for a machine that does other things too.
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_quickly(question, tmp_path):
    words, env, _ = QUESTIONS[question]
    seconds = []
    for _ in range(3):
        started_s = time.perf_counter()
        run(tmp_path, *words, **env)
        seconds.append(time.perf_counter() - started_s)
    assert statistics.median(seconds) < 3, seconds


def test_every_group_and_key_is_in_the_help(tmp_path):
    help_text = run(tmp_path, "--help").stdout
    for phrase in (
        "pruner: hyperband, late_median, median",
        "n_trials: 20",
        "hydra.mode=RUN",
        "--config-dir",
    ):
        assert phrase in help_text


def test_a_yaml_file_with_a_syntax_error_is_named(tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "broken.yaml").write_text("model: {filters_1: 3\n")
    line = refusal(tmp_path, "--config-dir", "mine", "+experiment=broken")
    assert "broken.yaml" in line and "line 2" in line


def test_one_bare_trial_checks_the_studys_name(tmp_path):
    done = run(tmp_path, "data=digits", "hydra.mode=RUN", "study.name=a/b")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "study.name must be the name of one folder" in line and "got 'a/b'" in line


def test_one_bare_trial_refuses_a_gpu_where_there_is_none(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = run(tmp_path, "data=digits", "hydra.mode=RUN", "trainer.accelerator=gpu")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "trainer.accelerator=gpu needs a CUDA GPU" in line
