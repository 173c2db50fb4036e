"""A few lines of Python that open an exported file of each format and run it."""

import json
from collections.abc import Mapping

from lightning_hpo.jobs.exporting.kinds import Interface

_OF_TORCH: Mapping[str, str] = {
    "torch": "import torch\n\nnetwork = torch.export.load({file}).module()",
    "torchscript": "import torch\n\nnetwork = torch.jit.load({file})",
    "safetensors": (
        "import torch\nfrom lightning_hpo.export import load_safetensors\n\n"
        "network = load_safetensors({file})"
    ),
}


def snippet(kind: str, file: str, takes: Interface) -> str:
    """For a ``file`` of the format ``kind``; ``samples`` in it are to be replaced by one's own."""
    quoted = json.dumps(file)
    shape = ", ".join(map(str, (3, *takes.shape)))
    output = "values" if takes.classes is None else "probabilities"
    if kind == "onnx":
        return (
            "import numpy as np\nimport onnxruntime\n\n"
            f"session = onnxruntime.InferenceSession({quoted})\n"
            f"samples = np.zeros(({shape}), np.{takes.dtype})\n"
            f'{output} = session.run(None, {{"samples": samples}})[0]\n'
        )
    opening = _OF_TORCH[kind].format(file=quoted)
    samples = f"samples = torch.zeros({shape}, dtype=torch.{takes.dtype})"
    return f"{opening}\n{samples}\n{output} = network(samples)\n"
