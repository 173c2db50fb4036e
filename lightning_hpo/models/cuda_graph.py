"""A training step as a captured CUDA graph: the host launches one graph instead of each kernel."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_hpo.errors import UserError
from lightning_hpo.models.steps import EagerStep, TrainsByMinibatch

# Eager steps before the capture, after which gradients, optimizer state and workspaces exist.
_WARM_UP_STEPS = 3


class CapturedStep(EagerStep):
    """Captures the step for minibatches of the first one's shape; others run eagerly.

    The warm-up steps train as well, so that no minibatch is lost. Lightning's
    ``trainer.global_step`` does not count replays.
    """

    def __init__(self, module: TrainsByMinibatch) -> None:
        super().__init__(module)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.n_warm = 0
        make_capturable(self.optimizer.optimizer, module.device)

    def __call__(self, x: Tensor, y: Tensor) -> None:
        if self.n_warm == 0:
            self.x, self.y = torch.empty_like(x), torch.empty_like(y)
        if x.shape != self.x.shape:
            super().__call__(x, y)
        elif self.n_warm < _WARM_UP_STEPS:
            self._warm_up(x, y)
        else:
            self._replay(x, y)

    def _warm_up(self, x: Tensor, y: Tensor) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            super().__call__(x, y)
        torch.cuda.current_stream().wait_stream(side)
        self.n_warm += 1

    def _replay(self, x: Tensor, y: Tensor) -> None:
        self.x.copy_(x)
        self.y.copy_(y)
        if self.graph is None:
            self.graph = self._capture()
        self.graph.replay()
        self.n += len(y)

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Records a step; nothing is computed. The gradients' memory becomes the graph's own."""
        assert self.sums is not None
        optimizer = self.optimizer.optimizer
        graph = torch.cuda.CUDAGraph()
        optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            outputs = self.module(self.x)
            loss = self.module.fitted_loss(self.x, outputs, self.y)
            with torch.autocast(self.device_type, enabled=False):
                loss.backward()
                optimizer.step()
            sums = self.module.train_metrics.sums(loss.detach(), outputs.detach(), self.y)
            self.sums.add_(sums)
        # What has been cast while it was recorded belongs to the graph; see EagerStep.
        torch.clear_autocast_cache()
        return graph


def make_capturable(optimizer: Optimizer, device: torch.device) -> None:
    """Let the next steps of ``optimizer`` be captured; before its first one.

    Fused kernels where it has them, for others read the rate on the host. The learning rate becomes
    a tensor, which a schedule fills; whatever else one changes (momentum) stays as captured.
    """
    for group in optimizer.param_groups:
        if not {"fused", "capturable"} & set(group):
            raise UserError(
                f"model.cuda_graph=true cannot capture {type(optimizer).__name__}; "
                "use optimizer=adam, adamw, radam or sgd, or model.cuda_graph=false."
            )
        if "fused" in group:
            group["fused"], group["foreach"] = True, False
        if "capturable" in group:
            group["capturable"] = True
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
    # torch would warn of the warm-up and of odd minibatches, which run uncaptured.
    optimizer._warned_capturable_if_run_uncaptured = True
