"""A study's pictures by their names, as a notebook shows them."""

from pathlib import Path

import pytest
from report_study import write_figures

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.results.pictures import Pictures


def test_figures_are_shown_one_by_one_or_together(tmp_path):
    folder = StudyFolder(tmp_path).final.figures
    assert dict(Pictures(folder)) == {}
    write_figures(tmp_path, ["learning_curves", "grad_cam"])
    figures = Pictures(folder)
    assert list(figures) == ["grad_cam", "learning_curves"]
    data, shown = figures["grad_cam"]._repr_png_()
    assert data == (folder / "grad_cam.png").read_bytes()
    assert shown == {"width": 288}
    assert figures._repr_html_().count('<img src="data:image/png;base64,') == 2
    assert "grad cam" not in figures and Path(figures["grad_cam"]).is_file()
    with pytest.raises(KeyError, match="no picture 'gradcam'; there are grad_cam, learning_curves"):
        figures["gradcam"]
