"""What data modules tell of their data, and what is said where they do not."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lightning_hpo.data import told
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl


class Curve:
    """Tells everything."""

    noise_variance = 0.25
    input_names = ("time", "place")
    target_name = "height"
    classes = ("cat", "dog")
    sha256 = "ab"

    def true_curve(self, x):
        return 2 * x


def test_what_is_told_is_said() -> None:
    data = Curve()
    assert told.noise_variance(data) == 0.25
    assert told.names(data) == ("time", "height")
    assert list(told.class_names(data, 2)) == ["cat", "dog"]
    assert told.checksum(data) == "ab"
    np.testing.assert_array_equal(told.true_values(data, np.array([1.0, 3.0])), [2.0, 6.0])


def test_nothing_need_be_told() -> None:
    assert told.noise_variance(object()) is None
    assert told.true_values(object(), np.array([1.0])) is None
    assert told.names(object()) == ("input", "target")
    assert told.checksum(object()) is None


def test_classes_without_names_are_called_by_their_numbers() -> None:
    class Nameless:
        classes = None

    assert list(told.class_names(Nameless(), 3)) == ["0", "1", "2"]
    assert list(told.class_names(SimpleNamespace(num_classes=3), 3)) == ["0", "1", "2"]
    assert list(told.class_names(object(), 2)) == ["0", "1"]


# Rule: Lightning's own data modules have a name, which is None unless somebody gives one.
def test_data_without_a_name_are_called_by_their_class() -> None:
    class Own(pl.LightningDataModule):
        pass

    assert told.name(Own()) == told.name(type("Own", (), {})()) == "Own"
    data = Own()
    data.name = "mine"
    assert told.name(data) == "mine"


def test_a_module_may_be_built_by_what_is_told_of_the_shape() -> None:
    data = SimpleNamespace(input_shape=(3, 8, 8), num_classes=0, classes=None)
    assert told.for_module(data) == {"input_shape": (3, 8, 8), "num_classes": 0}
    assert told.for_module(SimpleNamespace(input_shape=[4])) == {"input_shape": [4]}
    assert told.for_module(SimpleNamespace(cardinalities=(3, 4))) == {"cardinalities": (3, 4)}
    assert told.for_module(object()) == {}


def test_targets_are_no_classes_unless_their_number_is_told() -> None:
    numbers = [told.num_classes(SimpleNamespace(num_classes=n)) for n in (3, 0, None)]
    assert numbers == [3, 0, 0]
    assert told.num_classes(SimpleNamespace(classes=("cat", "dog"))) == 0


# Rule: names are another's own, of any kind; too few or too many name no class for certain.
def test_names_that_do_not_fit_the_classes_are_left_alone() -> None:
    assert told.class_names(SimpleNamespace(classes=np.array(["cat", "dog"])), 2) == ("cat", "dog")
    assert told.class_names(SimpleNamespace(classes=[7, 8]), 2) == ("7", "8")
    assert list(told.class_names(SimpleNamespace(classes=["cat"]), 2)) == ["0", "1"]
    assert list(told.class_names(SimpleNamespace(classes=[]), 2)) == ["0", "1"]


def test_the_number_of_classes_need_not_be_told() -> None:
    class Ten:
        num_classes = 10

    assert (told.num_classes(Ten()), told.num_classes(object())) == (10, 0)


# Rule: a batch is (x, y), or a dict with one usual name for each, or what the keys say.
@pytest.mark.parametrize(
    "batch", [("a", "b"), ["a", "b"], {"x": "a", "y": "b", "id": "c"}, {"image": "a", "label": "b"}]
)
def test_a_usual_batch_needs_no_words(batch) -> None:
    assert told.pair(object(), batch) == ("a", "b")


@pytest.mark.parametrize(
    ("batch", "keys"),
    [({"text": "a", "mood": "b"}, ("text", "mood")), (("id", "a", "b"), (1, 2))],
)
def test_keys_say_which_part_is_which(batch, keys) -> None:
    class Keyed:
        input_key, target_key = keys

    assert told.pair(Keyed(), batch) == ("a", "b")


@pytest.mark.parametrize(
    ("batch", "what"),
    [
        ({"x": 1, "image": 2, "y": 3}, "a dict of x, image, y"),
        ({"text": 1, "y": 2}, "a dict of text, y"),
        ((1, 2, 3), "3 parts"),
        (torch.zeros(2), "Tensor"),
    ],
)
def test_nothing_is_guessed_of_other_batches(batch, what: str) -> None:
    with pytest.raises(UserError, match=rf"\(x, y\) for figures, got {what}; .* input_key"):
        told.pair(object(), batch)


# Rule: an image is its own picture; what else it looks like says a method.
def test_pictures() -> None:
    class Spectrum:
        def picture(self, sample):
            return np.outer(sample, sample)

    image = torch.arange(6.0).reshape(1, 2, 3)
    assert torch.equal(told.picture(object(), image), image)
    assert torch.equal(told.picture(object(), image[0]), image)
    assert told.picture(Spectrum(), torch.tensor([1.0, 2.0])).tolist() == [[[1, 2], [2, 4]]]
    with pytest.raises(UserError, match=r"got shape \(6,\); a method picture"):
        told.picture(object(), torch.zeros(6))


def test_the_samples_of_a_split_are_told_or_not() -> None:
    class Splits:
        train_indices, val_indices = torch.tensor([0, 2]), [1]

    train, val = told.fold_indices(Splits())
    assert (train.tolist(), val.tolist()) == ([0, 2], [1])
    assert told.fold_indices(object()) is None


def test_data_that_do_not_describe_themselves_have_no_description() -> None:
    assert told.description(object()) == {}
    assert told.description(SimpleNamespace(description="curves of a pendulum")) == {}


def test_a_description_is_kept_as_json_keeps_it() -> None:
    data = SimpleNamespace(description=lambda: {"shape": (3, 8, 8), "notes": ["two cameras"]})
    assert told.description(data) == {"shape": [3, 8, 8], "notes": ["two cameras"]}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("pictures", "must return a dict of plain values .*, got str"),
        ({"shape": np.int64(3)}, "got Object of type int64 is not JSON serializable"),
        ({"samples": 3}, r"samples \(dict\), .*, got samples=3"),
        ({"notes": [float("nan")]}, "got Out of range float values are not JSON compliant"),
    ],
)
def test_a_description_of_another_shape_is_refused(found, message) -> None:
    with pytest.raises(UserError, match=message):
        told.description(SimpleNamespace(description=lambda: found))


def test_stored_numbers_are_called_by_themselves_or_as_the_inputs():
    coded = SimpleNamespace(stored_names=["a (0 = x)"], input_names=["a"])
    assert told.stored_names(coded) == ("a (0 = x)",)
    assert told.stored_names(Curve()) == ("time", "place")
    assert told.stored_names(object()) is None
