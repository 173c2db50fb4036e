"""Test accuracy of the hand-picked baselines over three seeds, beside the published values.

    python -m benchmarks.baselines --experiments fc_baseline cnn_baseline --seeds 0 1 2

Each seed is a study of its own without cross-validation: one training on all 60,000 images for the
experiment's 10 epochs, and one test. Finished studies are not run again.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

PUBLISHED = {"fc_baseline": 0.854, "cnn_baseline": 0.898}


def evaluated(experiment: str, seed: int, folder: Path) -> dict[str, Any]:
    """``results.json`` of the experiment with this seed."""
    study_dir = folder / f"{experiment}_seed{seed}"
    if not (study_dir / "results.json").is_file():
        command = [
            *(sys.executable, "-m", "lightning_hpo", f"+experiment={experiment}"),
            *(f"study.dir={study_dir}", f"seed={seed}", "cv.final=false"),
        ]
        subprocess.run(command, check=True)
    return json.loads((study_dir / "results.json").read_text())


def row(experiment: str, found: Sequence[dict[str, Any]]) -> str:
    """One line of the Markdown table."""
    accuracies = [result["test"]["test/accuracy"] for result in found]
    seconds = fmean(result["seconds"]["final"] for result in found)
    spread = f" ± {stdev(accuracies):.4f}" if len(accuracies) > 1 else ""
    return (
        f"| `{experiment}` | {PUBLISHED[experiment]:.3f} | {fmean(accuracies):.4f}{spread} |"
        f" {len(accuracies)} | {seconds:.0f} s |"
    )


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", nargs="+", default=list(PUBLISHED), choices=PUBLISHED)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=Path("studies/baselines"))
    told = parser.parse_args()
    rows = []
    for experiment in told.experiments:
        found = [evaluated(experiment, seed, told.folder) for seed in told.seeds]
        rows.append(row(experiment, found))
        versions = found[0]["versions"]
    print(f"{platform.machine()}, torch {versions['torch']}, 10 epochs, 60,000 images")
    print("| experiment | published | test accuracy | seeds | training and test |")
    print("|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
