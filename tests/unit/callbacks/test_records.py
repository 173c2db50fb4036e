"""The row of TensorBoard's HParams tab: every kind of parameter that a study can search."""

from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import plugin_data_pb2

from lightning_hpo.callbacks.records import log_searched


def test_the_hparams_row_keeps_types_and_tells_null(tmp_path):
    logger = TensorBoardLogger(tmp_path, name="", version="")
    log_searched(logger, {"lr": 0.1, "width": 8, "flip": True, "init": "1e3", "depth": None}, 0.5)
    logger.finalize("success")
    (file,) = tmp_path.glob("events*")
    starts = [
        plugin_data_pb2.HParamsPluginData.FromString(v.metadata.plugin_data.content)
        for event in EventFileLoader(str(file)).Load()
        for v in event.summary.value
        if v.tag == "_hparams_/session_start_info"
    ]
    row = {
        k: getattr(v, v.WhichOneof("kind")) for k, v in starts[0].session_start_info.hparams.items()
    }
    assert row == {"lr": 0.1, "width": 8, "flip": True, "init": "1e3", "depth": "null"}
