"""The versions that decide a result."""

import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("lightning-hpo", "torch", "torchvision", "pytorch-lightning", "optuna", "hydra-core")


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide a result."""
    found = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # A clone that is run without an installation has no metadata of its own.
            continue
    return found
