"""The targets by name, and what the long fuzz found for each: one input a line in base64, smallest first."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from tests.fuzz import seeds, session, targets

FOLDER = Path(__file__).with_name("corpus")
TARGETS = {
    "reader": targets.reader, "as_json": targets.as_json, "columns": targets.columns, "units": session.units
}  # fmt: skip
NAMES = tuple(TARGETS)


def kept(target: str) -> list[bytes]:
    """Return what was found and kept."""
    path = FOLDER / f"{target}.txt"
    return [base64.b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def unpack(target: str, folder: Path) -> None:
    """Write seeds and corpus as files of their own, as a fuzzer wants them."""
    for data in [*seeds.SEEDS[target](), *kept(target)]:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(target: str, chosen: list[Path]) -> None:
    """Make some files the corpus of a target."""
    found = {path.read_bytes() for path in chosen} - {*seeds.SEEDS[target]()}
    found = sorted(found, key=lambda data: (len(data), data))
    FOLDER.mkdir(exist_ok=True)
    lines = [base64.b64encode(data).decode() + "\n" for data in found]
    (FOLDER / f"{target}.txt").write_text("".join(lines))


def dictionary(path: Path) -> Path:
    """Write the words that a fuzzer may put in."""
    lines = ['"' + "".join(f"\\x{octet:02X}" for octet in word) + '"\n' for word in seeds.WORDS]
    path.write_text("".join(lines))
    return path
