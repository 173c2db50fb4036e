"""Random changes of a whole batch at once, each image with its own random values, on its device.

n: images, c: channels, h: height, w: width. Random values come from the generator that is passed
in, never from global state.
"""

from math import inf, log, radians
from typing import Literal, Protocol, get_args, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lightning_hpo.errors import UserError

# Erased rectangles, as torchvision's RandomErasing draws them: share of the image's area
# (uniform) and height over width (log-uniform); Zhong et al. 2017, arXiv:1708.04896.
_ERASED_AREA = (0.02, 0.33)
_ERASED_ASPECT = (0.3, 3.3)

Mode = Literal["on_the_fly", "append"]


@runtime_checkable
class HasMode(Protocol):
    """A change of samples that says when the data module makes it; see :class:`BatchAugment`."""

    mode: Mode


def appends(augment: object) -> bool:
    """Whether a changed copy of each sample joins the training split, made once."""
    return isinstance(augment, HasMode) and augment.mode == "append"


class BatchAugment:
    """Crops, flips, rotates, shifts, adds noise and erases, each image with its own random values.

    Pixels that come in from outside the image repeat its edge; erased ones are set to 0, the mean
    of normalised data.

    Args:
        rotation_deg: largest angle to either side in degrees, in [0, 180].
        horizontal_flip: probability of a mirror image, in [0, 1].
        erasing: probability that a random rectangle is erased, in [0, 1], by the method of Zhong et
            al. 2017, arXiv:1708.04896.
        shift: largest shift along each axis, as a fraction of that axis, in [0, 1].
        noise: standard deviation of additive Gaussian noise, at least 0, in the units of the batch,
            thus in standard deviations of the data.
        crop: largest share of height and width that is cut away, in [0, 1); what is left, at a
            random place, is stretched to the full size.
        mode: for the data module: "on_the_fly" changes every image anew in every epoch, "append"
            adds one changed copy of each to the training split, the same in all epochs.

    Raises:
        UserError: for an argument outside its range.

    Examples:
        >>> mirrored = BatchAugment(horizontal_flip=1.0)
        >>> mirrored(torch.tensor([[[[1.0, 2.0, 3.0]]]]), Generator())
        tensor([[[[3., 2., 1.]]]])
    """

    def __init__(
        self,
        *,
        rotation_deg: float = 0.0,
        horizontal_flip: float = 0.0,
        erasing: float = 0.0,
        shift: float = 0.0,
        noise: float = 0.0,
        crop: float = 0.0,
        mode: Mode = "on_the_fly",
    ) -> None:
        _check_range("rotation_deg", rotation_deg, 180)
        _check_range("horizontal_flip", horizontal_flip, 1)
        _check_range("erasing", erasing, 1)
        _check_range("shift", shift, 1)
        _check_range("noise", noise, inf)
        if not 0 <= crop < 1:
            raise UserError(
                f"augment.crop must lie in [0, 1), got augment.crop={crop}; 0 switches it off."
            )
        if mode not in get_args(Mode):
            raise UserError(
                f"augment.mode must be one of {', '.join(get_args(Mode))}, got augment.mode={mode}."
            )
        self.rotation_deg = rotation_deg
        self.horizontal_flip = horizontal_flip
        self.erasing = erasing
        self.shift = shift
        self.noise = noise
        self.crop = crop
        self.mode = mode

    def __call__(self, x_nchw: Tensor, generator: Generator) -> Tensor:
        """A changed copy of a normalised float batch; ``generator`` is on its device."""
        n, device = len(x_nchw), x_nchw.device
        u = torch.rand((9, n), generator=generator, device=device)
        noise = window = None
        if self.noise:
            noise = torch.empty_like(x_nchw).normal_(std=self.noise, generator=generator)
        if self.crop:
            # Drawn last, so that it does not reroll the others.
            window = windows(torch.rand((3, n), generator=generator, device=device), self.crop)
        if self.rotation_deg or self.horizontal_flip or self.shift or self.crop:
            angle_rad = (2 * u[0] - 1) * radians(self.rotation_deg)
            shift = (2 * u[2:4] - 1) * self.shift
            x_nchw = warp(x_nchw, angle_rad, u[1] < self.horizontal_flip, shift, window)
        if noise is not None:
            x_nchw = x_nchw + noise
        if self.erasing:
            erased_nhw = rectangles(u[5:], *x_nchw.shape[2:]) & (u[4] < self.erasing)[:, None, None]
            x_nchw = x_nchw.masked_fill(erased_nhw[:, None], 0.0)
        return x_nchw

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"BatchAugment({settings})"


def warp(
    x_nchw: Tensor, angle_rad: Tensor, flip: Tensor, shift: Tensor, window: Tensor | None = None
) -> Tensor:
    """Crops, mirrors left to right where ``flip``, rotates about the centre, shifts, all at once.

    angle_rad: (n,), positive turns counter-clockwise. flip: (n,) bool. shift: (2, n), rightwards
    and downwards as fractions of width and height. window: (3, n), its size as a fraction of the
    image and its centre, from -1 to 1 along width and height. Bilinear; the edge is repeated
    outside.
    """
    h, w = x_nchw.shape[2:]
    cos, sin = angle_rad.cos(), angle_rad.sin()
    mirror = 1 - 2 * flip.to(cos.dtype)
    # Where an output pixel comes from, in coordinates that run from -1 to 1 along each axis;
    # h / w keeps rotations rigid on images that are not square. Broadcasting one axis after the
    # other costs a tenth of F.affine_grid's batched products.
    across_n2 = torch.stack((mirror * cos, sin * (w / h)), 1)
    down_n2 = torch.stack((-mirror * sin * (h / w), cos), 1)
    y_h, x_w = _centres(h, x_nchw), _centres(w, x_nchw)
    row_n2h = down_n2[..., None] * (y_h - 2 * shift[1, :, None, None])
    column_n2w = across_n2[..., None] * (x_w - 2 * shift[0, :, None, None])
    if window is not None:
        size_n = window[0, :, None, None]
        row_n2h = row_n2h * size_n + window[1:].T[..., None]
        column_n2w = column_n2w * size_n
    grid_n2hw = row_n2h[..., :, None] + column_n2w[..., None, :]
    return F.grid_sample(
        x_nchw, grid_n2hw.permute(0, 2, 3, 1), padding_mode="border", align_corners=False
    )


def windows(u: Tensor, crop: float) -> Tensor:
    """Random windows that lie inside the image, as ``warp`` takes them, (3, n).

    u: (3, n), uniform in [0, 1): how much of ``crop`` is cut away, horizontal and vertical place.
    """
    size = 1 - crop * u[0]
    return torch.cat((size[None], (2 * u[1:] - 1) * (1 - size)))


def rectangles(u: Tensor, h: int, w: int) -> Tensor:
    """Random rectangles that lie inside the image, as masks (n, h, w).

    u: (4, n), uniform in [0, 1): area, aspect, vertical and horizontal place.
    """
    low, high = _ERASED_AREA
    area = (low + (high - low) * u[0]) * h * w
    low, high = log(_ERASED_ASPECT[0]), log(_ERASED_ASPECT[1])
    aspect = (low + (high - low) * u[1]).exp()
    inside_nh = _interval((area * aspect).sqrt(), u[2], h)
    inside_nw = _interval((area / aspect).sqrt(), u[3], w)
    return inside_nh[:, :, None] & inside_nw[:, None, :]


def _interval(length: Tensor, place: Tensor, size: int) -> Tensor:
    """Masks (n, size) of runs of ``length`` pixels (rounded, 1 to size) at a random place."""
    length = length.round().clamp(1, size)
    start = (place * (size - length + 1)).floor()
    pixel = torch.arange(size, device=length.device)
    return (pixel >= start[:, None]) & (pixel < (start + length)[:, None])


def _centres(size: int, like: Tensor) -> Tensor:
    """Pixel centres from -1 to 1, as grid_sample counts them without aligned corners."""
    return (torch.arange(size, device=like.device, dtype=like.dtype) * 2 + 1) / size - 1


def _check_range(name: str, value: float, high: float) -> None:
    if not 0 <= value <= high or value == inf:
        allowed = "be finite and at least 0" if high == inf else f"lie in [0, {high}]"
        raise UserError(
            f"augment.{name} must {allowed}, got augment.{name}={value}; 0 switches it off."
        )
