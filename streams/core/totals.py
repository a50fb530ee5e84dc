"""Totals of scopes in the six windows, from sums per scope and price band."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core.bands import WIDE, band_price
from streams.core.cells import LONG_COUNT, LONG_USD, NO_PRICE, SHORT_COUNT, SHORT_USD, Lines, runs
from streams.core.windows import LENGTHS

Ints = NDArray[np.int64]

#: Bands and sums of a scope that holds nothing.
NO_SUMS = np.zeros(0, np.int64), np.zeros((len(LENGTHS), 0, 4), np.int64)


class Totals(NamedTuple):
    """Totals of ``n`` scopes in the six windows; each field is a (6, n) array, money in micro-USD, prices in USD."""

    sums: Ints  # (6, n, 4)
    largest: Ints
    price_low: NDArray[np.float64]
    price_high: NDArray[np.float64]
    densest_low: NDArray[np.float64]
    densest_high: NDArray[np.float64]
    densest: Ints


def summarise(scope: Ints, band: Ints, sums: Ints, largest: Ints, count: int) -> Totals:
    """Return totals per scope and window from sums per (scope, band).

    Parameters
    ----------
    scope, band
        Of each of ``m`` lines, sorted by both; a scope without lines has totals of zero.
    sums
        (w, 4, m) sums per window and line.
    largest
        (w, count) largest single per window and scope, micro-USD.
    count
        How many scopes there are.

    """
    shape = (len(sums), count)
    total = np.zeros((len(sums), 4, count), np.int64)
    low, high, dense_low, dense_high = (np.full(shape, np.nan) for _ in range(4))
    dense = np.zeros(shape, np.int64)
    if len(scope):
        scopes, first = runs(scope)
        total[:, :, scopes] = np.add.reduceat(sums, first, axis=2)
        wide, wide_first = runs((scope << 24) | (band >> WIDE))
        usd = np.add.reduceat(sums[:, LONG_USD] + sums[:, SHORT_USD], wide_first, axis=1)
        wide_scope = first.searchsorted(wide_first, side="right") - 1
        _, group = runs(wide_scope)
        filled = (sums[:, LONG_COUNT] + sums[:, SHORT_COUNT] > 0) & (band > NO_PRICE)
        lowest = np.minimum.reduceat(np.where(filled, band, 1 << 40), first, axis=1)
        highest = np.maximum.reduceat(np.where(filled, band, -1), first, axis=1)
        most = np.maximum.reduceat(usd, group, axis=1)
        ties = np.where(usd == most[:, wide_scope], wide & 0xFFFFFF, 1 << 40)
        densest = np.minimum.reduceat(ties, group, axis=1) << WIDE
        some = highest >= 0
        for target, value in (
            (low, lowest),
            (high, highest + 1),
            (dense_low, densest),
            (dense_high, densest + (1 << WIDE)),
        ):
            target[:, scopes] = np.where(some, band_price(np.where(some, value, 0)), np.nan)
        dense[:, scopes] = np.where(some, most, 0)
    return Totals(total.transpose(0, 2, 1), largest, low, high, dense_low, dense_high, dense)


def placed(
    new: Lines, starts: list[int], held: tuple[Ints, Ints], differing: list[tuple[int, Ints, Ints]], largest: list[int]
) -> Totals:
    """Return the totals of one scope.

    Parameters
    ----------
    new, starts
        New lines, and the first second of each window.
    held, differing
        Bands and (6, bands, 4) sums that were there; (window, bands, sums) of what they have too much or too little.
    largest
        Largest single by window, micro-USD.

    """
    # One line per band: what was taken away must cancel before anybody asks which bands hold something.
    bands = [new.band, held[0], *(band for _, band, _ in differing)]
    band, line = np.unique(np.concatenate(bands), return_inverse=True)
    lines = iter(np.split(line, np.cumsum([len(each) for each in bands[:-1]])))
    sums = np.zeros((len(LENGTHS), len(band), 4), np.int64)
    order, first = _grouped(at := next(lines))
    for window, start in enumerate(starts if len(at) else ()):
        inside = new.sums * (new.second >= start)[:, None]
        sums[window, at[order[first]]] = np.add.reduceat(inside[order], first, axis=0)
    order, first = _grouped(at := next(lines))
    if len(at):
        sums[:, at[order[first]]] += np.add.reduceat(held[1][:, order], first, axis=1)
    for window, _, more in differing:
        np.add.at(sums[window], next(lines), more)
    return summarise(np.zeros(len(band), np.int64), band, sums.transpose(0, 2, 1), np.array(largest)[:, None], 1)


def _grouped(line: Ints) -> tuple[Ints, Ints]:
    """Return an order in which equal ones stand together, and where each group starts in it."""
    order = line.argsort(kind="stable")
    return order, runs(line[order])[1]
