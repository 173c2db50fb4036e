"""The rows of TensorBoard's HParams tab, as a run's event files hold them."""

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData


def hparams_rows(folder: Path) -> list[dict[str, Any]]:
    """Of each row its parameters with their types, and its status."""
    rows: list[dict[str, Any]] = []
    for file in sorted(folder.glob("events*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name != "hparams":
                    continue
                told = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                if told.HasField("session_start_info"):
                    found = told.session_start_info.hparams
                    rows.append({k: getattr(v, v.WhichOneof("kind")) for k, v in found.items()})
                else:
                    rows[-1]["status"] = Status.Name(told.session_end_info.status)
    return rows
