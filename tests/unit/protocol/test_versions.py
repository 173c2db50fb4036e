"""The versions that a study records."""

import sys
from importlib.metadata import version

from lightning_hpo.protocol.versions import versions


def test_python_and_the_packages_that_decide_a_result_are_recorded() -> None:
    found = versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    for package in ("torch", "pytorch-lightning", "optuna", "hydra-core"):
        assert found[package] == version(package)


# Rule: a package that is not installed has no version, and costs none of the others.
def test_a_package_that_is_missing_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr("lightning_hpo.protocol.versions._PACKAGES", ("no-such-package", "torch"))
    assert list(versions()) == ["python", "torch"]
