"""The pictures of a study's final job by their names, as a notebook shows them."""

import base64
import html
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_WIDEST = 800  # pixels of a notebook's page


@dataclass(frozen=True)
class Picture:
    """One picture; the last line of a notebook's cell shows it. ``path``: its file."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        data = self.path.read_bytes()
        (width,) = struct.unpack(">I", data[16:20])
        return data, {"width": min(width, _WIDEST)}


class Pictures(Mapping[str, Picture]):
    """Name -> picture, in alphabetic order; the last line of a notebook's cell shows them all."""

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.png"))}

    def __getitem__(self, name: str) -> Picture:
        if name not in self._paths:
            raise KeyError(f"there is no picture {name!r}; there are {', '.join(self._paths)}")
        return Picture(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __repr__(self) -> str:
        return f"Pictures({', '.join(self._paths)})"

    def _repr_html_(self) -> str:
        return "".join(_figure(name, path) for name, path in self._paths.items())


def _figure(name: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    source = f"data:image/png;base64,{data}"
    caption = html.escape(name.replace("_", " "))
    style = f'style="max-width: {_WIDEST}px; width: 100%"'
    return (
        f'<figure><img src="{source}" alt="{caption}" {style}><figcaption>{caption}</figcaption>'
        "</figure>\n"
    )
