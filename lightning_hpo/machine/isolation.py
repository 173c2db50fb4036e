"""Keeps a warm process as good as new: what a job changes is undone before the next one."""

import atexit
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from lightning_hpo.machine.allocator import return_freed_memory
from lightning_hpo.machine.process_state import ProcessState

# torch's registries of hooks that run for every module of the process.
_GLOBAL_HOOKS = (
    "_global_buffer_registration_hooks",
    "_global_module_registration_hooks",
    "_global_parameter_registration_hooks",
    "_global_forward_pre_hooks",
    "_global_forward_hooks",
    "_global_backward_pre_hooks",
    "_global_backward_hooks",
)


@dataclass
class Isolation:
    """``is_complete``: all is as it was before; else this process should take no further job."""

    is_complete: bool = False


@contextmanager
def loading() -> Iterator[None]:
    """For imports: no collection looks at what is loaded, neither now nor later.

    With torch and Lightning the looks take an eighth of the import, and find next to nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def isolated(threads: int | None = None) -> Iterator[Isolation]:
    """Restore environment, folder, warnings, torch's and the process's state after a job.

    ``threads``: CPU threads of torch for this job.
    """
    _set_aside_what_is_loaded(with_torch="torch" in sys.modules)
    environment, folder, state = dict(os.environ), os.getcwd(), ProcessState.now()
    isolation = Isolation()
    try:
        with warnings.catch_warnings(), _torch_as_before(threads):
            yield isolation
    finally:
        # First: an alarm that goes off now would end the process.
        isolation.is_complete = state.restore()
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        gc.collect()
        return_freed_memory()
        _empty_cuda_cache()


@cache
def _set_aside_what_is_loaded(*, with_torch: bool) -> None:
    """Once, and again when a job has loaded torch: no later collection looks at what is there.

    Torch and Lightning are half a million objects; to look at them takes a third of a second.
    """
    gc.collect()
    gc.freeze()
    if with_torch:
        # At the end of the process, its libraries complain about what was never let go.
        atexit.register(gc.unfreeze)


@contextmanager
def _torch_as_before(threads: int | None) -> Iterator[None]:
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = _torch_state(torch)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        _restore_torch(torch, before)


def _torch_state(torch: Any) -> dict[str, Any]:
    registry = torch.nn.modules.module
    return {
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
        "matmul": torch.get_float32_matmul_precision(),
        "hooks": {name: dict(getattr(registry, name)) for name in _GLOBAL_HOOKS},
    }


def _restore_torch(torch: Any, state: dict[str, Any]) -> None:
    torch.set_num_threads(state["threads"])
    torch.set_default_dtype(state["dtype"])
    torch.set_grad_enabled(state["grad"])
    torch.use_deterministic_algorithms(state["deterministic"], warn_only=state["warn_only"])
    torch.backends.cudnn.benchmark = state["benchmark"]
    torch.set_float32_matmul_precision(state["matmul"])
    for name, hooks in state["hooks"].items():
        registered = getattr(torch.nn.modules.module, name)
        registered.clear()
        registered.update(hooks)


def _empty_cuda_cache() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
