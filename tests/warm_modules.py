"""Packages that a program starts with and has not imported: it gets them when it asks for them.

Which Lightning a process has imported decides its flavour, and what a package does as it is
imported depends on the program: who has set up logging, which warnings are errors. So the modules
are put aside, and come back, all at once, by the program's first ``import`` of their package, whose
``__init__`` runs then as it would have.
"""

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class PutAside(MetaPathFinder):
    """Imports ``packages``, each after those that it needs, and puts them aside."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._aside: dict[str, _Aside] = {}
        environment = dict(os.environ)
        for package in packages:
            filters = warnings.filters[:]
            importlib.import_module(package)
            added = [each for each in warnings.filters if each not in filters]
            self._aside[package] = _Aside(package, added)
            set_filters(filters)
        os.environ.clear()
        os.environ.update(environment)
        for aside in self._aside.values():
            aside.take()
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The package's own, with a loader that brings back what was put aside."""
        aside = self._aside.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if aside is not None else None
        if aside is not None and spec is not None and aside.is_at(spec):
            spec.loader = _BringBack(aside, spec.loader)
        return spec


class _Aside:
    """The modules of one package, and the filters of warnings that their import has added."""

    def __init__(self, package: str, filters: list[Any]) -> None:
        self.package = package
        self._filters = filters
        self._modules: dict[str, ModuleType] = {}

    def take(self) -> None:
        """As if nobody had imported them."""
        for name in [name for name in sys.modules if self._is_part(name)]:
            self._modules[name] = sys.modules.pop(name)
        for name in filter(self._is_part, logging.root.manager.loggerDict):
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.NOTSET)

    def is_at(self, spec: ModuleSpec) -> bool:
        return spec.origin == self._modules[self.package].__file__

    def root(self) -> ModuleType:
        return self._modules[self.package]

    def bring_back(self) -> None:
        sys.modules.update(self._modules)
        set_filters(self._filters + [e for e in warnings.filters if e not in self._filters])

    def _is_part(self, name: str) -> bool:
        return name == self.package or name.startswith(f"{self.package}.")


class _BringBack(Loader):
    """Runs the package's ``__init__`` where all that it imports is there."""

    def __init__(self, aside: _Aside, own: Any) -> None:
        self._aside = aside
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._aside.root()

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = self._own
        self._aside.bring_back()
        self._own.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


def set_filters(filters: Sequence[Any]) -> None:
    """The filters of warnings, in this order."""
    warnings.filters[:] = filters
    warnings._filters_mutated()
