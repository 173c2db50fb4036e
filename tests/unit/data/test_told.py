"""What data modules tell of their data, and what is said where they do not."""

import numpy as np

from lightning_hpo.data import told


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
    assert told.class_names(data, 2) == ("cat", "dog")
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
    assert list(told.class_names(object(), 2)) == ["0", "1"]
