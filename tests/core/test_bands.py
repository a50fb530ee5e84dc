"""Bands are stored: their edges, and how many make a wide one, are those of the first release."""

from __future__ import annotations

import numpy as np
import pytest

from streams.core.bands import WIDE, band_price, price_bands


@pytest.mark.parametrize(
    ("price", "band", "low", "high", "wide_low", "wide_high"),
    [
        (100.0, 1_054_272, 100.0, 100.0625, 100.0, 100.5),
        (80_000.0, 1_064_162, 80_000.0, 80_064.0, 79_872.0, 80_384.0),
        (0.3, 1_045_708, 0.2998046875, 0.300048828125, 0.298828125, 0.30078125),
    ],
)
def test_a_band_is_what_it_was(price, band, low, high, wide_low, wide_high):
    found = int(price_bands(np.array([price]))[0])
    first = found >> WIDE << WIDE

    assert (band, low, high) == (found, float(band_price(found)), float(band_price(found + 1)))
    assert (wide_low, wide_high) == (float(band_price(first)), float(band_price(first + (1 << WIDE))))
