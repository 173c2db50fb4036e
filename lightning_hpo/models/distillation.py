"""Distillation: a classifier learns from a teacher's outputs beside the labels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_hpo.errors import UserError


class Distillation:
    """The loss of Hinton, Vinyals and Dean (2015, arXiv:1503.02531).

    ``(1 - weight) * loss + weight * temperature² * KL(teacher || student)``, both softened by the
    temperature. The teacher sees the very batch that the student sees, changed as it is by
    augmentation (Beyer et al. 2022, CVPR), in eval mode. Its weights are nobody's parameters: the
    student's optimizer and checkpoint do not know them.

    Args:
        teacher: images (N, C, H, W), normalised as the student's, to logits (N, K); one that has
            ``evaluated``, as classifiers of this package, gives those.
        weight: share of the teacher in the loss, in [0, 1].
        temperature: above 0; larger ones tell more of the classes that are not the first.

    Raises:
        UserError: for an argument outside its range, and in the first step for a teacher of another
            number of classes.

    Examples:
        Where both say the same, only the student's own loss remains:

        >>> loss = Distillation(nn.Identity(), weight=0.5)
        >>> logits = torch.tensor([[2.0, 0.0]])
        >>> float(loss(logits, logits, torch.tensor(3.0)))
        1.5
    """

    def __init__(
        self, teacher: nn.Module, *, weight: float = 0.9, temperature: float = 4.0
    ) -> None:
        if not 0 <= weight <= 1:
            raise UserError(f"distillation.weight must lie in [0, 1], got {weight}.")
        if not temperature > 0:
            raise UserError(f"distillation.temperature must be above 0, got {temperature}.")
        self.teacher = teacher.eval().requires_grad_(False)
        self.weight = weight
        self.temperature = temperature

    def to(self, device: torch.device) -> None:
        """Bring the teacher to ``device``."""
        self.teacher.to(device)

    def __call__(self, logits: Tensor, outputs: Tensor, loss: Tensor) -> Tensor:
        """The loss of a step, of the teacher's ``logits`` and the student's ``outputs`` (N, K).

        ``loss``: the student's own.
        """
        if logits.shape != outputs.shape:
            raise UserError(
                f"a teacher must know the student's classes, got {logits.shape[-1]} of the teacher"
                f" and {outputs.shape[-1]} of the student; train it on the same data."
            )
        taught = F.kl_div(
            F.log_softmax(outputs.float() / self.temperature, dim=1),
            F.log_softmax(logits.float() / self.temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        return (1 - self.weight) * loss + self.weight * self.temperature**2 * taught
