"""The page's pictures as PNG files, drawn from the same SVG."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Final

#: The renderer is an extra of its own: the page does without it.
MISSING: Final = "no PNGs: they need `pip install 'liquidation-streams[report]'`; the page has the same pictures"
#: Pictures that a page may have or not; those of an earlier page must not stay beside this one.
_OF_SOME: Final = ("totals.png", "market.png", "what-if.png", "cascade-*T*-LONG.png", "cascade-*T*-SHORT.png")
_NOT_XML: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")


def write(folder: Path, pictures: dict[str, str]) -> bool:
    """Write each picture as ``NAME.png``; return False where the renderer is not installed."""
    for old in [path for pattern in _OF_SOME for path in folder.glob(pattern)]:
        old.unlink()
    try:
        render = import_module("resvg_py").svg_to_bytes
    except ImportError:
        return False
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(bytes(render(svg_string=_NOT_XML.sub("\ufffd", picture))))
    return True
