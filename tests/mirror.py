"""What is said, with longs and shorts in each other's place: for tests that neither side is better."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

OTHER = {"LONG": "SHORT", "SHORT": "LONG", "long": "short", "short": "long"}


def other(said: Any) -> Any:
    """Return a record of the other side: names, values and words of the headline."""
    if isinstance(said, dict):
        return {other(name): other(each) for name, each in said.items()}
    if isinstance(said, list):
        return [other(each) for each in said]
    return re.sub("|".join(OTHER), lambda found: OTHER[found[0]], said) if isinstance(said, str) else said


def lines(said: Iterable[dict[str, Any]], *left_out: str) -> list[str]:
    """Return records without their ids and order: an id hashes the side, and of two sides at once one comes first."""
    without = dict.fromkeys(["cascade_id", *left_out])
    return sorted(json.dumps(each | without, sort_keys=True, default=str) for each in said)
