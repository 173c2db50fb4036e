"""What ``${fit:...}`` stands for: a fit's name and folder inside of one, itself outside."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lightning_hpo.composition.fit_names import name_of, names_of


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("trials/3", "trial 3"),
        ("trials/3/fold_0", "trial 3 fold 0"),
        ("trials/3/rerun_1", "trial 3 rerun 1"),
        ("final/fold_2", "fold 2"),
        ("final/refit", "refit"),
        ("final/refit_1", "refit 1"),
        ("final/showcase_best", "showcase best"),
    ],
)
def test_fits_are_named_by_trial_and_fold(tmp_path: Path, inside: str, expected: str) -> None:
    assert name_of(tmp_path / inside, tmp_path) == expected


def test_a_folder_elsewhere_has_its_own_name(tmp_path: Path) -> None:
    assert name_of(tmp_path / "a" / "b", tmp_path / "study") == "b"


# Rule: what is resolved and stored outside of a fit still means the fit that reads it.
def test_a_stored_configuration_names_the_fit_that_reads_it(tmp_path: Path) -> None:
    cfg = OmegaConf.create({"name": "${fit:name}", "place": "${fit:folder}/x"})
    stored = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    assert OmegaConf.to_container(stored, resolve=True) == {
        "name": "${fit:name}",
        "place": "${fit:folder}/x",
    }
    with names_of(tmp_path / "trials" / "7", tmp_path):
        assert (stored.name, stored.place) == ("trial 7", f"{tmp_path}/trials/7/x")
    assert stored.name == "${fit:name}"


def test_another_key_is_refused() -> None:
    with pytest.raises(InterpolationResolutionError, match="must be one of name, folder, got"):
        _ = OmegaConf.create({"a": "${fit:number}"}).a
