"""From the content of an image file to bytes (C, H, W): one rule for training and for prediction.

The first picture of a file is turned as its EXIF orientation says; what is transparent lies on
white; 16 bits of grey become 8 by rounding; colours become grey by their luma (ITU-R 601). The
whole picture is resized to the wanted height and width, bilinearly over the area that a new pixel
covers, and its proportions are not kept. JPEG of at least twice the wanted size is decoded at
1/2, 1/4 or 1/8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lightning_hpo.errors import UserError, one_line

# Raised by whoever changes what the pixels of a file become.
RULES = 1
LARGEST = 4096

_GREY = ("1", "L", "LA", "La", "I", "F")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
_ORIENTATION = 0x0112


class DamagedImage(ValueError):
    """Why a file cannot be decoded."""


@dataclass(frozen=True)
class Form:
    """What images are decoded to."""

    height: int
    width: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width


@dataclass(frozen=True)
class Header:
    """What a file says of its picture, as it is to be seen."""

    height: int
    width: int
    is_grey: bool


def checked_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """``data.size`` as height and width; raises :class:`UserError` unless it is a size."""
    if size is None:
        return None
    found = list(size) if isinstance(size, Sequence) else [size, size]
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in found)
    if not whole or len(found) != 2 or not all(1 <= n <= LARGEST for n in found):
        raise UserError(
            f"data.size must be a number of pixels or [height, width], each in [1, {LARGEST}], got"
            f" data.size={size}; null takes the files' own."
        )
    return found[0], found[1]


def checked_channels(channels: int | None) -> int | None:
    """``data.channels``; raises :class:`UserError` unless it is 1, 3 or None."""
    if channels not in (None, 1, 3):
        raise UserError(
            "data.channels must be 1 (grey) or 3 (colours), got"
            f" data.channels={channels}; null takes what the files are."
        )
    return channels


def read_header(content: bytes) -> Header:
    """Raises :class:`DamagedImage`."""
    found: list[Header] = []
    decoded_by(content, found.append)
    return found[0]


def decoded(content: bytes, form: Form) -> NDArray[np.uint8]:
    """(C, H, W); raises :class:`DamagedImage`."""
    found = decoded_by(content, lambda _: form)
    assert found is not None
    return found


def decoded_by(content: bytes, choose: Callable[[Header], Form | None]) -> NDArray[np.uint8] | None:
    """(C, H, W) of the form that ``choose`` gives for the header; None: not decoded.

    Raises:
        DamagedImage: where it cannot be decoded.
    """
    try:
        with Image.open(BytesIO(content)) as image:
            form = choose(_header(image))
            return None if form is None else _pixels(image, form)
    except Exception as error:  # Decoders raise whatever a broken file leads them to.
        raise DamagedImage(_reason(error)) from None


def _header(image: Image.Image) -> Header:
    width, height = image.size
    if _orientation(image) in _TURNED:
        width, height = height, width
    return Header(height, width, _is_grey(image))


def _pixels(image: Image.Image, form: Form) -> NDArray[np.uint8]:
    # A side may be either until the picture is turned.
    twice = 2 * max(form.height, form.width)
    image.draft(None, (twice, twice))
    ImageOps.exif_transpose(image, in_place=True)
    plain = _in_mode(image, "L" if form.channels == 1 else "RGB")
    if plain.size != (form.width, form.height):
        plain = plain.resize((form.width, form.height), Image.Resampling.BILINEAR)
    pixels: NDArray[np.uint8] = np.asarray(plain)
    return pixels[None] if form.channels == 1 else pixels.transpose(2, 0, 1)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise DamagedImage("its pixels are real numbers, whose range nobody tells")
    if image.mode.startswith("I"):
        image = _in_8_bits(image)
    elif image.mode in _WITH_ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _in_8_bits(image: Image.Image) -> Image.Image:
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise DamagedImage(
            f"its pixels must lie in [0, 65535], they reach {pixels.min()} to {pixels.max()}"
        )
    return Image.fromarray(((pixels * 255 + 32767) // 65535).astype(np.uint8))


def _is_grey(image: Image.Image) -> bool:
    return image.mode in _GREY or image.mode.startswith("I;16")


def _orientation(image: Image.Image) -> int:
    # Of a PNG that has none, all pixels would be decoded to know it; TIFF is turned by Pillow.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    return int(image.getexif().get(_ORIENTATION, 1))


def _reason(error: Exception) -> str:
    # Pillow names the object in memory, which says nothing.
    return one_line(error).partition(" <_io.BytesIO")[0]
