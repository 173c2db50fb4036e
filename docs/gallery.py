"""The pictures of `docs/gallery.md` again, from finished studies.

    python -m docs.gallery [--studies studies] [--budget _standard]

Figures of the final job are copied. Figures of the search, which the report holds as SVG, are drawn
in a headless Chromium at twice their size. Each picture stays below 350 kB.
"""

import argparse
import base64
import shutil
import subprocess
import tempfile
from pathlib import Path

from lightning_hpo.report.figures import folds, history, parameters, relations, timeline
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.record import read_record

FOLDER = Path(__file__).parent / "gallery"
MAX_BYTES = 350_000
# Figures of the final job, by study; those of the reference study, and what else explains a model.
FINAL = {
    "mlp_two_layers": (
        "learning_curves",
        "fit",
        "predicted_against_true",
        "activations",
        "weight_histograms",
        "trials_side_by_side",
    ),
    "cnn_dropout": (
        "learning_curves",
        "filters_1",
        "filters_2",
        "feature_maps",
        "grad_cam",
        "weight_histograms",
        "confused_pairs",
        "mistakes",
        "trials_side_by_side",
    ),
    "cnn_l2": ("learning_curves",),
    "cnn_augmented": ("confusion_matrix", "augmented_samples"),
}
SEARCHED = "cnn_dropout"
SEARCH = {
    "history": history.history,
    "intermediate_values": history.intermediate_values,
    "importances": parameters.importance_bars,
    "timeline": timeline.timeline,
    "parallel_coordinates": relations.parallel_coordinates,
    "contour": relations.contour,
    "fold_spread": folds.fold_spread,
}


def study_folder(studies: Path, name: str, budget: str) -> Path:
    """The study's folder of that budget, or of its full one."""
    scaled = studies / f"{name}{budget}"
    return scaled if scaled.is_dir() else studies / name


def copy_final(studies: Path, budget: str) -> None:
    """The figures of the final jobs, as `<study>_<figure>.png`."""
    for study, figures in FINAL.items():
        folder = study_folder(studies, study, budget) / "final" / "figures"
        for figure in figures:
            shutil.copyfile(folder / f"{figure}.png", FOLDER / f"{study}_{figure}.png")


def draw_search(study_dir: Path) -> None:
    """The figures of the search, as `search_<figure>.png`."""
    record = read_record(study_dir)
    for name, draw in SEARCH.items():
        picture = draw(record)
        if picture is not None:
            screenshot(picture, FOLDER / f"search_{name}.png")


def screenshot(picture: Picture, path: Path) -> None:
    """Write a picture of the report as a PNG of twice its size, on white."""
    data = base64.b64encode(picture.data).decode()
    image = f'<img width={picture.width_px} src="data:image/{picture.kind};base64,{data}">'
    page = f'<body style="margin:0;background:white">{image}</body>'
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "page.html").write_text(page)
        command = [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={folder}/profile", "--force-device-scale-factor=2"),
            f"--window-size={picture.width_px},{picture.height_px}",
            *(f"--screenshot={path}", f"{folder}/page.html"),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=Path, default=Path("studies"))
    parser.add_argument("--budget", default="_standard", help="what it adds to a study's name")
    told = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    copy_final(told.studies, told.budget)
    draw_search(study_folder(told.studies, SEARCHED, told.budget))
    large = {p.name: p.stat().st_size for p in FOLDER.glob("*.png") if p.stat().st_size > MAX_BYTES}
    if large:
        raise SystemExit(f"pictures must stay below {MAX_BYTES} bytes, got {large}.")


if __name__ == "__main__":
    main()
