"""Every benchmark that ``make bench`` names starts, and says how it is run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks import figures, fleet, image_folders, report, shares, small_cnns
from lightning_hpo.errors import UserError

ROOT = Path(__file__).parents[2]
NAMES = re.search(r"^BENCHMARKS := (.*)$", (ROOT / "Makefile").read_text(), re.M).group(1).split()


# What takes too long to be one of many has a target of its own.
ALONE = ["race"]


def test_make_bench_leaves_none_out():
    helpers = {
        "conditions",
        "figures",
        "honest_tests",
        "honest_worlds",
        "recordings",
        "reference",
        "shares",
    }
    found = {p.stem for p in (ROOT / "benchmarks").glob("[a-z]*.py")}
    found |= {p.parent.name for p in (ROOT / "benchmarks").glob("*/__main__.py")}
    assert found == {*NAMES, *ALONE} | helpers
    targets = re.findall(r"-m benchmarks\.(\w+)$", (ROOT / "Makefile").read_text(), re.M)
    assert {*ALONE} <= {*targets}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, *ALONE])
def test_a_benchmark_starts(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (shown.returncode, "usage:" in shown.stdout) == (0, True), shown.stderr


# Rule: what the page's probe wrote is read from the dumped document: images, height, milliseconds.
def test_the_report_benchmark_reads_what_the_page_says():
    assert report.opening('<body><pre id="opened">17 9313.5 488.6</pre>') == (17, 9313.5, 488.6)
    with pytest.raises(SystemExit, match="must run the page's scripts"):
        report.opening("<body></body>")


# Rule: each quantity stands beside its target, with their ratio.
def test_the_report_benchmark_prints_ratios_to_its_targets():
    lines = report.table({"size, MB": 2.0, "build, s": 15.0, "open in Chromium, s": 3.0})
    assert lines.splitlines()[2:] == [
        "| size, MB | 2.00 | < 8 | 0.25 |",
        "| build, s | 15.00 | < 30 | 0.50 |",
        "| open in Chromium, s | 3.00 | < 2 | 1.50 |",
    ]


# Rule: many files, each of its own content, of few pictures, so that they are made in seconds.
def test_the_image_benchmark_makes_files_that_differ_and_can_be_decoded(tmp_path):
    image_folders.write(tmp_path, 6, 8, "png")
    files = sorted((tmp_path / "train").rglob("*.png"))
    assert len({path.read_bytes() for path in files}) == 6
    assert sorted(path.parent.name for path in files) == [f"class_{k}" for k in (0, 0, 1, 1, 2, 3)]
    data = image_folders.images(tmp_path, 8, 0)
    with pytest.raises(UserError, match="at least 2 images"):
        data.setup("fit")
    image_folders.write(tmp_path, 4, 8, "png", "test")
    data.setup("fit")
    assert data.input_shape == (3, 8, 8)


def test_the_memory_of_a_process_is_that_of_its_pages():
    own = psutil.Process()
    assert 2**24 < image_folders.pss_bytes(own) < 2**36


# Rule: a study carries as many slots as ask and tell at half of the measured rate.
def test_the_fleet_benchmark_turns_a_rate_into_slots_and_goes_on_after_a_stop(tmp_path):
    assert [fleet.slots(2.0, minutes) for minutes in (1, 10, 60)] == [60, 600, 3600]
    found = {"kind": "gRPC proxy", "controllers": 2, "running": 0, "trials": 10}
    found |= {"trials_per_s": 2.0, "waited_ms": 1.25, "held_ms": 20.0, "statements": 50.4}
    assert fleet.table([found]).splitlines()[2:] == [
        "| gRPC proxy | 2 | 0 | 2.0 | 1.2 | 20.0 | 50.4 | 60 | 600 | 3,600 |"
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(found) + "\n")
    fleet.measure_missing([fleet.Point("gRPC proxy", 2, 0)], 10, path)
    assert fleet.read(path) == [found]


# Rule: one file has the figures of all benchmarks, each under its name, and the machine's.
def test_figures_of_several_benchmarks_are_gathered_by_their_names(tmp_path):
    lines, race = tmp_path / "deep" / "lines.jsonl", tmp_path / "race.jsonl"
    figures.append(lines, "folds", way="stacked", epoch_ms={1: 0.5})
    figures.append(lines, "cnn", way="bare", epoch_s=[1.5])
    figures.append(lines, "folds", way="by hand", epoch_ms={1: 6.0})
    figures.append(None, "folds", way="nowhere")
    race.write_text('{"contender": "ours", "wall_s": 60.0}\n')
    found = figures.gathered([lines, race])
    assert "torch" in found.pop("conditions")
    assert found == {
        "folds": [
            {"way": "stacked", "epoch_ms": {"1": 0.5}},
            {"way": "by hand", "epoch_ms": {"1": 6.0}},
        ],
        "cnn": [{"way": "bare", "epoch_s": [1.5]}],
        "race": [{"contender": "ours", "wall_s": 60.0}],
    }


# Rule: a part that calls another one does not count its time.
def test_the_clock_of_parts_counts_each_moment_once(monkeypatch):
    now_s = iter([0.0, 0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    monkeypatch.setattr(shares.time, "process_time", lambda: next(now_s))

    class Outer:
        def call(self, inner: "Inner") -> str:
            return inner.call()

    class Inner:
        def call(self) -> str:
            return "done"

    parts = {"outer": [(Outer, ("call",))], "inner": [(Inner, ("call",))]}
    with shares.Shares().of(parts) as clock:
        assert Outer().call(Inner()) == "done"
    assert dict(clock.seconds) == {"rest": 17.0, "outer": 10.0, "inner": 4.0}


# Rule: ways are compared with the first one, round by round.
def test_the_small_cnns_are_compared_with_processes():
    assert [*small_cnns.ways(8, 2, [4])] == [
        "2 processes, fold after fold",
        "2 processes, folds as a stack",
        "stacks of 4 trials",
    ]
    assert [*small_cnns.ways(1, 4, [])] == ["4 processes"]
    assert small_cnns.table({"one": [60.0, 40.0], "other": [20.0, 20.0]}, 30)[2:] == [
        "| one | 60, 40 | 36 | 1.00 (1.00 to 1.00) |",
        "| other | 20, 20 | 90 | 2.50 (2.00 to 3.00) |",
    ]
