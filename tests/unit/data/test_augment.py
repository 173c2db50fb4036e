"""Augmentation: each switch does what it says, per image, from the given generator alone."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Generator, Tensor

from lightning_hpo.data.augment import BatchAugment, appends, rectangles, warp, windows
from lightning_hpo.errors import UserError

STILL = torch.zeros(1)
KEEP = torch.zeros(1, dtype=torch.bool)
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def images(n: int = 1, h: int = 6, w: int = 6, channels: int = 1) -> Tensor:
    return torch.arange(n * channels * h * w).float().view(n, channels, h, w)


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_warp_by_nothing_changes_nothing() -> None:
    x = images(channels=3, w=9)
    torch.testing.assert_close(warp(x, STILL, KEEP, torch.zeros(2, 1)), x)


def test_a_quarter_turn_is_rot90() -> None:
    # rot90 turns counter-clockwise; on a square image no pixel is interpolated.
    x = images(channels=2)
    turned = warp(x, torch.tensor([math.pi / 2]), KEEP, torch.zeros(2, 1))
    torch.testing.assert_close(turned, x.rot90(1, (2, 3)))


def test_rotation_is_rigid_on_images_that_are_not_square() -> None:
    # A cross in the middle of a 5 x 11 image maps to itself under a quarter turn.
    x = torch.zeros(1, 1, 5, 11)
    x[..., 2, 4:7] = 1
    x[..., 1:4, 5] = 1
    turned = warp(x, torch.tensor([math.pi / 2]), KEEP, torch.zeros(2, 1))
    torch.testing.assert_close(turned, x, atol=1e-5, rtol=0)


def test_a_flip_mirrors_left_to_right_and_only_where_it_is_asked_for() -> None:
    x = images(n=2)
    flipped = warp(x, torch.zeros(2), torch.tensor([True, False]), torch.zeros(2, 2))
    torch.testing.assert_close(flipped[0], x[0].flip(-1))
    torch.testing.assert_close(flipped[1], x[1])


def test_a_shift_moves_right_and_down_and_repeats_the_edge() -> None:
    x = images(h=4, w=8)
    right = warp(x, STILL, KEEP, torch.tensor([[2 / 8], [0]]))
    torch.testing.assert_close(right[..., 2:], x[..., :-2])
    torch.testing.assert_close(right[..., :2], x[..., :1].expand(-1, -1, -1, 2))
    down = warp(x, STILL, KEEP, torch.tensor([[0], [1 / 4]]))
    torch.testing.assert_close(down[..., 1:, :], x[..., :-1, :])


def test_all_three_in_one_equal_one_after_the_other() -> None:
    x, flip = images(), torch.tensor([True])
    turn, shift = torch.tensor([math.pi / 2]), torch.tensor([[1 / 6], [2 / 6]])
    stepwise = warp(warp(x.flip(-1), turn, KEEP, torch.zeros(2, 1)), STILL, KEEP, shift)
    torch.testing.assert_close(warp(x, turn, flip, shift), stepwise, atol=1e-4, rtol=0)


def test_a_window_is_stretched_to_the_full_size() -> None:
    # The right lower quarter of a 4 x 4 image, whose pixels are 10, 11, 14 and 15.
    window = torch.tensor([[0.5], [0.5], [0.5]])
    cropped = warp(images(h=4, w=4), STILL, KEEP, torch.zeros(2, 1), window)
    assert cropped[0, 0, 0, 0].item() == pytest.approx(10 - 0.25 - 1)
    corners = cropped[0, 0, ::3, ::3].flatten() - cropped[0, 0, 0, 0]
    torch.testing.assert_close(corners, torch.tensor([0.0, 1.25, 5.0, 6.25]))


def test_a_crop_comes_before_the_flip() -> None:
    x, window = images(h=4, w=4), torch.tensor([[0.5], [0.5], [-0.5]])
    both = warp(x, STILL, torch.tensor([True]), torch.zeros(2, 1), window)
    alone = warp(x, STILL, KEEP, torch.zeros(2, 1), window)
    torch.testing.assert_close(both, alone.flip(-1))


def test_windows_lie_inside_and_are_as_small_as_was_asked_for() -> None:
    size, x, y = windows(torch.rand(3, 2000, generator=generator()), 0.4)
    assert 0.6 <= size.min() < 0.61
    assert 0.99 < size.max() <= 1
    for centre in (x, y):
        assert (centre.abs() + size <= 1 + 1e-6).all()
        assert centre.min() < -0.2 < 0.2 < centre.max()


def test_rectangles_have_the_area_and_aspect_of_the_paper_and_lie_inside() -> None:
    masks = rectangles(torch.rand(4, 2000, generator=generator()), 100, 100)
    heights, widths = masks.any(2).sum(1), masks.any(1).sum(1)
    areas = masks.sum((1, 2))
    assert torch.equal(areas, heights * widths)
    assert areas.min() >= 0.02 * 1e4 * 0.9
    assert areas.max() <= 0.33 * 1e4 * 1.05
    assert 0.25 < (heights / widths).min() < 0.33
    assert 3.0 < (heights / widths).max() < 3.7
    assert masks.any(0)[[0, -1]].any(1).all()  # they reach every side
    assert masks.any(0)[:, [0, -1]].any(0).all()


def test_a_rectangle_longer_than_the_image_is_cut_to_it() -> None:
    almost_one = 1 - 2**-24
    tall = rectangles(torch.full((4, 1), almost_one), 28, 28)
    assert tall.any(2).sum().item() == 28
    assert rectangles(torch.zeros(4, 1), 2, 2).sum().item() == 1


def test_erased_pixels_are_zero_and_the_others_untouched() -> None:
    x = images(n=50, h=28, w=28, channels=2) + 1
    erased = BatchAugment(erasing=1.0)(x, generator())
    gone = erased == 0
    assert torch.equal(erased[~gone], x[~gone])
    assert torch.equal(gone[:, 0], gone[:, 1])  # one rectangle for all channels
    assert gone[:, 0].flatten(1).any(1).all()


@pytest.mark.parametrize("name", ["horizontal_flip", "erasing"])
def test_probabilities_hold_per_image(name: str) -> None:
    # 2,000 images at p = 0.25: 500 expected, and 58 are three standard deviations.
    x = images(h=8, w=8).expand(2000, -1, -1, -1) + 1
    changed = BatchAugment(**{name: 0.25})(x, generator()) - x
    n_changed = (changed.flatten(1).abs().max(1).values > 0.5).sum().item()
    assert abs(n_changed - 500) < 58


def test_each_image_gets_its_own_random_values() -> None:
    x = images(h=28, w=28).expand(8, -1, -1, -1)
    for settings in (
        {"rotation_deg": 20},
        {"shift": 0.2},
        {"noise": 0.1},
        {"erasing": 1.0},
        {"crop": 0.3},
    ):
        changed = BatchAugment(**settings)(x, generator())
        assert len({tuple(image.flatten().tolist()) for image in changed}) == 8


def test_noise_has_the_standard_deviation_that_was_asked_for() -> None:
    noise = BatchAugment(noise=0.5)(torch.zeros(100, 1, 28, 28), generator())
    assert noise.std().item() == pytest.approx(0.5, rel=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)


def test_the_generator_alone_decides_and_the_input_is_left_alone() -> None:
    augment = BatchAugment(rotation_deg=10, horizontal_flip=0.5, erasing=0.5, shift=0.1, noise=0.1)
    x = images(n=16)
    before = x.clone()
    state = torch.get_rng_state()
    first, again, other = (augment(x, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_switched_off_it_changes_nothing() -> None:
    x = images(n=3)
    assert torch.equal(BatchAugment()(x, generator()), x)


def test_switching_one_change_on_does_not_reroll_another() -> None:
    x = images(n=8, h=28, w=28) + 1
    alone = BatchAugment(erasing=1.0)(x, generator())
    both = BatchAugment(erasing=1.0, rotation_deg=5, crop=0.2)(x, generator())
    assert torch.equal(alone == 0, both == 0)


@pytest.mark.parametrize("device", DEVICES)
def test_it_runs_where_the_batch_is(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    augment = BatchAugment(rotation_deg=10, horizontal_flip=0.5, erasing=0.5, shift=0.1, noise=0.1)
    out = augment(images(n=4).to(device), Generator(device).manual_seed(0))
    assert out.device.type == device
    assert out.shape == (4, 1, 6, 6)
    assert out.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotation_deg": 181}, r"lie in \[0, 180\], got augment.rotation_deg=181"),
        ({"rotation_deg": -1}, "rotation_deg=-1"),
        ({"horizontal_flip": 1.5}, r"lie in \[0, 1\], got augment.horizontal_flip=1.5"),
        ({"erasing": -0.1}, "erasing=-0.1"),
        ({"shift": 2}, "shift=2"),
        ({"crop": 1.0}, r"crop must lie in \[0, 1\), got augment.crop=1.0"),
        ({"crop": math.nan}, "got augment.crop=nan"),
        ({"mode": "both"}, "mode must be one of on_the_fly, append, got augment.mode=both"),
        ({"noise": -0.1}, "noise must be finite and at least 0, got augment.noise=-0.1"),
        ({"noise": math.inf}, "noise=inf"),
        ({"noise": math.nan}, "noise=nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        BatchAugment(**settings)


# Rule: another's change of samples may say when it is made too; who says nothing changes batches.
def test_who_says_so_is_appended() -> None:
    assert appends(BatchAugment(mode="append"))
    assert not appends(BatchAugment())
    assert appends(SimpleNamespace(mode="append"))
    assert not appends(torch.flip)
