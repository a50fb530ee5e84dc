"""The page's pictures as PNG files, drawn from the same SVG."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

#: The renderer is an extra of its own: the page does without it.
MISSING: Final = "no PNGs: they need `pip install 'liquidation-streams[report]'`; the page has the same pictures"


def write(folder: Path, pictures: dict[str, str]) -> bool:
    """Write each picture as ``NAME.png``; return False where the renderer is not installed."""
    try:
        render = import_module("resvg_py").svg_to_bytes
    except ImportError:
        return False
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(bytes(render(svg_string=picture)))
    return True
