"""How far the final network's confidence can be believed, in sentences."""

from collections.abc import Mapping

from lightning_hpo.results.results import Results
from lightning_hpo.results.text import number


def words(results: Results) -> list[str]:
    """Its calibration error with and without a temperature, of which the test loss judges."""
    found = results.get("calibration")
    if not found:
        return []
    if found["temperature"] is None:
        return [f"The network's confidence was not calibrated: {found['why']}."]
    errors, temperature = found["ece"], number(found["temperature"])
    held_out = errors["held_out"]
    sentence = (
        f"With the temperature {temperature}, by which its logits are to be divided, the network's "
        f"confidence fits the {held_out['n']:,} held-out samples of the folds best: there the "
        f"expected calibration error is {number(held_out['before'])} without it and "
        f"{number(held_out['after'])} with it"
    )
    tested, change = errors.get("test"), found.get("test_loss")
    if tested is None or change is None:
        return [f"{sentence}."]
    return [
        f"{sentence}, on the {tested['n']:,} test samples, which had no part in that, "
        f"{number(tested['before'])} and {number(tested['after'])}. {_judged(change)}."
    ]


def _judged(change: Mapping[str, float]) -> str:
    reach = f"95 % interval of the change {number(change['low'])} to {number(change['high'])}"
    if change["high"] < 0:
        return f"Its probabilities get better by it: their cross-entropy there falls ({reach})"
    if change["low"] > 0:
        return f"Its probabilities get worse by it: their cross-entropy there rises ({reach})"
    return f"Whether its probabilities get better by it these samples do not tell ({reach})"
