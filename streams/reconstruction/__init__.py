"""The sell-off of 2026-01-31 as records, reconstructed from its published hourly figures and a seed.

It is a reconstruction: ``figures`` says what is published and what is invented.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np

from streams.reconstruction import surroundings
from streams.reconstruction.figures import (
    CAVEAT,
    END_MINUTE,
    HEADLINE_MINUTE,
    LABEL,
    PRINTS,
    START_MS,
    WAVES_MINUTE,
    at,
)
from streams.reconstruction.liquidations import liquidations
from streams.reconstruction.market import Market

__all__ = [
    "CAVEAT",
    "END_MINUTE",
    "HEADLINE_MINUTE",
    "LABEL",
    "PRINTS",
    "START_MS",
    "WAVES_MINUTE",
    "Played",
    "at",
    "reconstruct",
]

#: Event time in milliseconds, topic, wire record.
Played: TypeAlias = tuple[int, str, dict[str, Any]]


def reconstruct(seed: int = 0) -> list[Played]:
    """Return every record of the reconstruction in event-time order; what lies before ``START_MS`` is history.

    The same seed gives the same records. Liquidations begin at ``START_MS``.
    """
    # One generator for each kind: what one of them draws moves none of the others.
    prices, selling, *others = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(6))
    market = Market(prices)
    played: list[Played] = list(liquidations(selling, market))
    makers = (surroundings.funding, surroundings.open_interest, surroundings.quotes, surroundings.exchange_flows)
    for make, rng in zip(makers, others, strict=True):
        played += make(rng, market)
    played.sort(key=itemgetter(0))
    return played
