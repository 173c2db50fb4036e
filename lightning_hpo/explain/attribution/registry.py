"""The registry of attribution methods: all that figures, live callbacks and tests know of each.

A method is a function in ``methods.py``, declared where it is defined, a class in
``callbacks/inspection.py`` that draws it while a network trains, and a file in ``conf/callbacks``.
Nothing else names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor, nn

from lightning_hpo.explain.attribution.layers import conv_layers


class Maps(Protocol):
    """What a method computes: (N, H, W) float32 on the images' own grid of pixels (N, C, H, W).

    ``target``: one class for all images, one per image (N,), or None for the predicted ones.
    Leaves the network as it was, as all of this package does.
    """

    def __call__(
        self, model: nn.Module, images: Tensor, target: int | Tensor | None = None
    ) -> Tensor: ...


@dataclass(frozen=True)
class AttributionMethod:
    """An attribution method, what it needs and how it is drawn.

    name:              of its figure, its callback and the file of that in ``conf/callbacks``.
    title:             what figures call it.
    signed:            whether its maps also hold evidence against the class, as negative values.
    needs_convolution: whether it is one of networks with convolutions alone.
    place:             tells where in a network it looks, given images; None: at the whole of it.
    """

    name: str
    title: str
    signed: bool
    needs_convolution: bool
    maps: Maps
    place: Callable[[nn.Module, Tensor], str] | None = None

    @property
    def evidence(self) -> str:
        """What its maps hold, before the words for a class."""
        return "evidence for and against" if self.signed else "evidence for"

    def titled(self, title: str, model: nn.Module, images: Tensor) -> str:
        """``title``, and in a second line where in ``model`` the method looks."""
        return title if self.place is None else f"{title}\n{self.title} {self.place(model, images)}"

    def applies_to(self, model: nn.Module) -> bool:
        return not self.needs_convolution or bool(conv_layers(model))


METHODS: dict[str, AttributionMethod] = {}  # by name, in the order of their definitions

_Maps = TypeVar("_Maps", bound=Maps)


def attribution_method(
    name: str,
    *,
    title: str,
    signed: bool,
    needs_convolution: bool,
    place: Callable[[nn.Module, Tensor], str] | None = None,
) -> Callable[[_Maps], _Maps]:
    """Declares the function below it; see :class:`AttributionMethod`."""

    def declare(maps: _Maps) -> _Maps:
        assert name not in METHODS, f"two attribution methods are called {name}"
        METHODS[name] = AttributionMethod(name, title, signed, needs_convolution, maps, place)
        return maps

    return declare
