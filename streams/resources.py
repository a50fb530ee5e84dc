"""Where the schemas and the tables of facts lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml


def schemas_dir() -> Path:
    """Return the folder of the schemas: ``streams/schemas`` of a wheel, else ``schemas`` of the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "schemas", package.parent / "schemas"):
        if (folder / "topics.yaml").is_file():
            return folder
    msg = f"no schemas beside {package}: the installation is incomplete"
    raise FileNotFoundError(msg)


@cache
def schema_text(name: str) -> str:
    """Return the text of one schema file: ``schema_text("liquidation.avsc")``."""
    return (schemas_dir() / name).read_text(encoding="utf-8")


def yaml_data(name: str) -> Any:
    """Return one parsed table, the caller's own copy: ``yaml_data("venues.yaml")``."""
    return yaml.safe_load(schema_text(name))
