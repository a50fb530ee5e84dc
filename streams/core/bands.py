"""The fixed logarithmic price grid on which liquidations are remembered.

A band is read off the bits of the price: its exponent and the first ten bits
of its mantissa. That gives 1,024 bands to every doubling of the price, each
0.05 to 0.10 % wide, with edges that are exact doubles and the same on every
machine. Eight neighbouring bands (0.4 to 0.8 %) make one *wide* band, the unit
in which the densest price band is looked for.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHIFT: Final = 42
#: Bits by which a band is coarsened to its wide band.
WIDE: Final = 3


def price_bands(prices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the band of each positive price.

    Examples
    --------
    >>> low = float(band_price(price_bands(np.array([100.0]))[0]))
    >>> low, bool(low <= 100.0 < band_price(price_bands(np.array([100.0]))[0] + 1))
    (100.0, True)

    An edge belongs to the band above it:

    >>> int(np.diff(price_bands(np.array([np.nextafter(1.0, 0.0), 1.0])))[0])
    1

    """
    return np.ascontiguousarray(prices, np.float64).view(np.int64) >> _SHIFT


def band_price(band: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the lower edge of a band; the upper edge is that of ``band + 1``."""
    return (np.asarray(band, np.int64) << _SHIFT).view(np.float64)
