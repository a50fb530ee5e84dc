"""Totals of scopes in the six windows, from sums per scope and price band."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.core.bands import WIDE, band_price
from streams.core.cells import LONG_COUNT, LONG_USD, NO_PRICE, SHORT_COUNT, SHORT_USD, Lines, ranges, runs
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


class Held(NamedTuple):
    """What parts (rows of a scope) hold: lines in order of window, part and band, none of them empty.

    ``place`` is the window times the number of parts and the part; ``sums`` are (4, n).
    """

    place: Ints
    band: Ints
    sums: Ints


def summarise(held: Held, parts: int, at: Ints, sizes: Ints, largest: Ints) -> Totals:
    """Return the totals of scopes from what their parts hold.

    Parameters
    ----------
    held, parts
        What each of so many parts holds.
    at, sizes
        The parts of all scopes one after the other, and how many each scope has; it may have none.
    largest
        (6, parts) largest single by window and part, micro-USD.

    """
    shape, some = (len(LENGTHS), len(sizes)), sizes.nonzero()[0]
    total, most, densest = np.zeros((4, *shape), np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    low, high, dense_low, dense_high = np.full((4, *shape), np.nan)
    if len(at):
        priced = held if held.band.all() else _where(held, held.band != NO_PRICE)
        first = (sizes.cumsum() - sizes)[some]
        lowest, highest = _span(priced, parts)
        total[..., some] = np.add.reduceat(_sums(held, parts)[..., at], first, axis=-1)
        most[:, some] = np.maximum.reduceat(largest[:, at], first, axis=1)
        low[:, some] = np.fmin.reduceat(lowest[:, at], first, axis=1)
        high[:, some] = np.fmax.reduceat(highest[:, at], first, axis=1)
        place, band, usd = _densest(priced, parts, at, sizes)
        dense_low.flat[place], dense_high.flat[place] = band_price(band), band_price(band + (1 << WIDE))
        densest.flat[place] = usd
    return Totals(total.transpose(1, 2, 0), most, low, high, dense_low, dense_high, densest)


def _where(held: Held, wanted: NDArray[np.bool_]) -> Held:
    return Held(held.place[wanted], held.band[wanted], held.sums[:, wanted])


def _sums(held: Held, parts: int) -> Ints:
    """Return (4, 6, parts) sums."""
    found = np.zeros((4, len(LENGTHS) * parts), np.int64)
    place, first = runs(held.place)
    if len(place):
        found[:, place] = np.add.reduceat(held.sums, first, axis=1)
    return found.reshape(4, -1, parts)


def _span(held: Held, parts: int) -> NDArray[np.float64]:
    """Return the (2, 6, parts) lowest and highest prices, which are those of the first and the last band."""
    found = np.full((2, len(LENGTHS) * parts), np.nan)
    place, first = runs(held.place)
    if len(place):
        last = np.append(first[1:], len(held.place)) - 1
        found[:, place] = band_price(held.band[first]), band_price(held.band[last] + 1)
    return found.reshape(2, -1, parts)


def _densest(held: Held, parts: int, at: Ints, sizes: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the densest wide band of each scope that has one: its place, its first band, and its micro-USD."""
    wide, first = runs(held.place << 22 | held.band >> WIDE)
    if not len(wide):
        return wide, wide, wide
    usd = np.add.reduceat(held.sums[LONG_USD] + held.sums[SHORT_USD], first)
    # Those of all parts of all scopes, window by window.
    windows = np.arange(len(LENGTHS))[:, None]
    part = (windows * parts + at).ravel() << 22
    scope = (windows * len(sizes) + np.repeat(np.arange(len(sizes)), sizes)).ravel() << 22
    first, end = wide.searchsorted((part, part + (1 << 22)))
    index = ranges(first, end - first)
    found = np.repeat(scope, end - first) | wide[index] & 0x3FFFFF
    order = found.argsort(kind="stable")
    found, first = runs(found[order])
    usd = np.add.reduceat(usd[index][order], first)
    place, first = runs(found >> 22)
    most = np.maximum.reduceat(usd, first)
    # Of several that hold as much it is the lowest.
    best = found[usd == np.repeat(most, np.diff(first, append=len(usd)))]
    return place, (best[runs(best >> 22)[1]] & 0x3FFFFF) << WIDE, most


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
    place, some = (sums[:, :, LONG_COUNT] + sums[:, :, SHORT_COUNT]).nonzero()
    together = Held(place, band[some], sums[place, some].T)
    return summarise(together, 1, np.zeros(1, np.int64), np.ones(1, np.int64), np.array(largest)[:, None])


def _grouped(line: Ints) -> tuple[Ints, Ints]:
    """Return an order in which equal ones stand together, and where each group starts in it."""
    order = line.argsort(kind="stable")
    return order, runs(line[order])[1]
