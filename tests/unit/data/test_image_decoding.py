"""What the pixels of a file become, by literal values."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_hpo.data.image_decoding import (
    DamagedImage,
    Form,
    Header,
    checked_channels,
    checked_size,
    decoded,
    read_header,
)
from lightning_hpo.errors import UserError


def content(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def of(pixels: Any, dtype: Any = np.uint8) -> Image.Image:
    return Image.fromarray(np.array(pixels, dtype=dtype))


def test_bytes_stay_as_they_are_at_their_own_size() -> None:
    grey = content(of([[0, 16], [3, 255]]))
    assert read_header(grey) == Header(2, 2, is_grey=True)
    assert decoded(grey, Form(2, 2, 1)).tolist() == [[[0, 16], [3, 255]]]
    assert decoded(grey, Form(2, 2, 3)).tolist() == [[[0, 16], [3, 255]]] * 3
    colours = content(of([[[1, 2, 3], [4, 5, 6]]]))
    assert read_header(colours) == Header(1, 2, is_grey=False)
    assert decoded(colours, Form(1, 2, 3)).tolist() == [[[1, 4]], [[2, 5]], [[3, 6]]]


def test_colours_become_grey_by_their_luma() -> None:
    # 0.299 red + 0.587 green + 0.114 blue
    colours = content(of([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]))
    assert decoded(colours, Form(1, 3, 1)).tolist() == [[[76, 150, 29]]]


def test_the_whole_picture_is_resized_over_the_area_of_a_pixel() -> None:
    halves = content(of([[0, 0, 200, 200]] * 4))
    assert decoded(halves, Form(2, 2, 1)).tolist() == [[[29, 171], [29, 171]]]
    assert decoded(halves, Form(1, 1, 1)).tolist() == [[[100]]]
    wide = content(of([[10] * 6] * 2))
    assert decoded(wide, Form(3, 3, 1)).tolist() == [[[10] * 3] * 3]


def test_what_is_transparent_lies_on_white() -> None:
    rgba = content(of([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]]))
    assert not read_header(rgba).is_grey
    assert decoded(rgba, Form(1, 3, 3)).tolist() == [
        [[10, 255, 204]],
        [[20, 255, 204]],
        [[30, 255, 204]],
    ]
    grey_alpha = content(of([[[10, 255], [10, 0]]]))
    assert read_header(grey_alpha).is_grey
    assert decoded(grey_alpha, Form(1, 2, 1)).tolist() == [[[10, 255]]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([9, 8, 7, 1, 2, 3])
    palette.putpixel((1, 0), 1)
    seen = content(palette, transparency=1)
    assert decoded(seen, Form(1, 2, 3)).tolist() == [[[9, 255]], [[8, 255]], [[7, 255]]]


def test_sixteen_bits_of_grey_become_eight_by_rounding() -> None:
    deep = content(of([[0, 128, 129, 65535, 32768]], np.uint16))
    assert read_header(deep) == Header(1, 5, is_grey=True)
    assert decoded(deep, Form(1, 5, 1)).tolist() == [[[0, 0, 1, 255, 128]]]


def test_one_bit_is_black_or_white() -> None:
    assert decoded(content(of([[0, 1]], bool)), Form(1, 2, 1)).tolist() == [[[0, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_as_its_orientation_says(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    lossless = {"lossless": True} if kind == "WEBP" else {}
    turned = content(of([[[0] * 3, [100] * 3, [200] * 3]]), kind, exif=exif, **lossless)
    assert read_header(turned) == Header(3, 1, is_grey=False)
    assert decoded(turned, Form(3, 1, 1)).tolist() == [[[0], [100], [200]]]


def test_a_large_jpeg_is_decoded_smaller_and_is_nearly_the_same() -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(ramp, (512, 512)).copy())
    found = decoded(content(image, "JPEG"), Form(16, 16, 1))
    expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    assert np.abs(found[0].astype(int) - expected).max() <= 4


def test_the_first_picture_of_an_animation_counts() -> None:
    film = content(of([[7, 7]]), "GIF", save_all=True, append_images=[of([[90, 90]])])
    assert decoded(film, Form(1, 2, 1)).tolist() == [[[7, 7]]]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", "cannot identify image file"),
        (b"no image", "cannot identify image file"),
        (content(of(np.random.default_rng(0).integers(0, 255, (64, 64))))[:-2000], "truncated"),
        (content(of([[0.5]], np.float32), "TIFF"), "real numbers"),
        (content(of([[70000]], np.int32), "TIFF"), r"must lie in \[0, 65535\]"),
    ],
)
def test_what_cannot_be_decoded_says_why(broken: bytes, reason: str) -> None:
    with pytest.raises(DamagedImage, match=reason):
        decoded(broken, Form(8, 8, 1))


def test_a_header_that_cannot_be_read_says_why() -> None:
    with pytest.raises(DamagedImage, match=r"^cannot identify image file$"):
        read_header(b"no image")


def test_sizes_and_channels_out_of_range_are_refused_in_one_line() -> None:
    assert checked_size(None) is None and checked_channels(None) is None
    assert checked_size(8) == (8, 8) and checked_size([3, 4]) == (3, 4)
    assert checked_channels(1) == 1
    for wrong in (0, -1, 4097, [8], [8, 8, 8], [8, 0], 1.5, [True, 8]):
        with pytest.raises(UserError, match=r"data\.size must be .* in \[1, 4096\], got"):
            checked_size(wrong)  # type: ignore[arg-type]
    for channels in (0, 2, 4):
        with pytest.raises(UserError, match=r"data\.channels must be 1 \(grey\) or 3 \(colours\)"):
            checked_channels(channels)
