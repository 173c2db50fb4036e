"""Whether a fit heeds the weights of its rows, said before anything trains."""

from lightning_hpo.data import told
from lightning_hpo.data.loader import steps_per_call
from lightning_hpo.errors import UserError
from lightning_hpo.models.base import BaseModule
from lightning_hpo.models.row_weights import unweighted


def require_weighed(module: object, data: object, *, stacked: bool = False) -> None:
    """Raise :class:`UserError` where rows have weights and a fit would not heed them."""
    if not told.weighs(data):
        return
    if stacked:
        raise UserError(
            "stacked networks weigh all rows alike, but data.weights names a column; set"
            " cv.parallel=serial, or leave out data.weights."
        )
    if not isinstance(module, BaseModule):
        raise unweighted(module, "derive it from BaseClassifier or BaseRegressor")
    if steps_per_call(module) != 1:
        raise UserError(
            "rows with weights are trained on batch by batch, got model.steps_per_call="
            f"{module.steps_per_call} with data.weights; set model.steps_per_call=1, or leave out"
            " data.weights."
        )
    module.require_weights_known()
