"""Hyperparameter search for PyTorch Lightning, driven by Hydra and Optuna.

The public names are those of ``__all__``. Each is imported where it is first asked for, so that the
package itself, and a question to the command line, costs nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_hpo.api import StudyRecord, compare, load_study, rerun, run, unlock
    from lightning_hpo.callbacks.current import current_trial
    from lightning_hpo.callbacks.reporting import PruningCallback
    from lightning_hpo.data.base import Arrays, TensorDataModule
    from lightning_hpo.data.folds import Split
    from lightning_hpo.errors import UserError
    from lightning_hpo.explain.attribution import feature_maps, grad_cam
    from lightning_hpo.models.base import BaseClassifier
    from lightning_hpo.models.cnn import CNNClassifier
    from lightning_hpo.models.fc import FCClassifier
    from lightning_hpo.models.mlp import MLP, MLPClassifier, MLPRegressor
    from lightning_hpo.models.regression import BaseRegressor
    from lightning_hpo.scripting.ranges import choice, integers, interval, log_interval
    from lightning_hpo.search import search

__version__ = "0.2.0"

__all__ = [
    "MLP",
    "Arrays",
    "BaseClassifier",
    "BaseRegressor",
    "CNNClassifier",
    "FCClassifier",
    "MLPClassifier",
    "MLPRegressor",
    "PruningCallback",
    "Split",
    "StudyRecord",
    "TensorDataModule",
    "UserError",
    "choice",
    "compare",
    "current_trial",
    "feature_maps",
    "grad_cam",
    "integers",
    "interval",
    "load_study",
    "log_interval",
    "rerun",
    "run",
    "search",
    "unlock",
]

_HOMES = {
    "api": ("StudyRecord", "compare", "load_study", "rerun", "run", "unlock"),
    "callbacks.current": ("current_trial",),
    "callbacks.reporting": ("PruningCallback",),
    "data.base": ("Arrays", "TensorDataModule"),
    "data.folds": ("Split",),
    "errors": ("UserError",),
    "explain.attribution": ("feature_maps", "grad_cam"),
    "models.base": ("BaseClassifier",),
    "models.cnn": ("CNNClassifier",),
    "models.fc": ("FCClassifier",),
    "models.mlp": ("MLP", "MLPClassifier", "MLPRegressor"),
    "models.regression": ("BaseRegressor",),
    "scripting.ranges": ("choice", "integers", "interval", "log_interval"),
    "search": ("search",),
}
_HOME_OF = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps its public names.

    An import of ``lightning_hpo.compare``, the module that is a command, would put that in the
    place of the function.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its name, as any module.

        A script that imports it is sent to other processes with what it has imported.
        """
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package
