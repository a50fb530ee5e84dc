"""From integer totals to wire records: the one place where micro-USD become dollars."""

from __future__ import annotations

import math
from typing import Any

from streams.core.cascade import SEVERITIES, CascadeRule, CascadeState, Phase, raise_to
from streams.core.cells import LONG_COUNT, LONG_USD, SHORT_COUNT, SHORT_USD
from streams.core.events import Instrument, PositionSide, Scope, to_usd
from streams.core.totals import Totals
from streams.core.windows import ONE_DAY, ONE_HOUR, WINDOWS

Record = dict[str, Any]
_PRICED = ("price_low", "price_high", "densest_price_low", "densest_price_high", "densest_usd")


def scope_fields(scope: Scope, key: str, instrument: Instrument | None) -> Record:
    """Return the fields that say what a record is about."""
    exchange = instrument.exchange if instrument else key if scope is Scope.EXCHANGE else None
    return {
        "scope": scope.value,
        "key": key,
        "exchange": exchange,
        "symbol": instrument.symbol if instrument else None,
        "asset": instrument.asset if instrument else key if scope is Scope.ASSET else None,
    }


def window_records(totals: Totals, at: int) -> list[Record]:
    """Return the six WindowTotals of scope ``at``; prices are None where no liquidation in the window has one."""
    prices = (totals.price_low, totals.price_high, totals.densest_low, totals.densest_high)
    return [
        {
            "window": name,
            "long_usd": to_usd(sums[LONG_USD]),
            "short_usd": to_usd(sums[SHORT_USD]),
            "long_count": sums[LONG_COUNT],
            "short_count": sums[SHORT_COUNT],
            "largest_usd": to_usd(largest),
            **dict(zip(_PRICED, (None,) * 5 if math.isnan(bands[0]) else (*bands, to_usd(dense)), strict=True)),
        }
        for name, sums, largest, dense, bands in zip(
            WINDOWS,
            totals.sums[:, at].tolist(),
            totals.largest[:, at].tolist(),
            totals.densest[:, at].tolist(),
            zip(*(column[:, at].tolist() for column in prices), strict=True),
            strict=True,
        )
    ]


def hour_share_of_day(totals: Totals, at: int) -> float | None:
    """Return the last hour's part of the last 24 h, both sides; None while the day is empty."""
    hour = int(totals.sums[ONE_HOUR, at, :2].sum())
    day = int(totals.sums[ONE_DAY, at, :2].sum())
    return hour / day if day else None


def windows_row(scope: Scope, key: str, instrument: Instrument | None, as_of_s: int, totals: Totals, at: int) -> Record:
    """Return a row of ``liquidation-windows`` but for its coverage."""
    return {
        **scope_fields(scope, key, instrument),
        "as_of": as_of_s * 1000,
        "windows": window_records(totals, at),
        "hour_share_of_day": hour_share_of_day(totals, at),
    }


def cascade_record(
    scope: Scope,
    key: str,
    instrument: Instrument | None,
    rule: CascadeRule,
    state: CascadeState,
    phase: Phase,
    time_ms: int,
    totals: Totals,
) -> Record:
    """Return a message of ``cascades`` but for coverage, context, comparisons and headline; counts it."""
    long, short = state.usd
    windows = window_records(totals, 0)
    _raise_day(state, totals, time_ms)
    record = {
        "cascade_id": state.cascade_id,
        "sequence": state.sequence,
        "rule_version": rule.version(),
        **scope_fields(scope, key, instrument),
        "phase": phase.value,
        "severity": SEVERITIES[state.severity],
        "position_side": PositionSide(state.position_side).name,
        "side_share": state.usd[state.position_side] / (long + short) if long + short else 1.0,
        "event_time": time_ms,
        "started": state.started_ms,
        "peaked": state.peaked_ms,
        "ended": state.last_above_ms if phase is Phase.SUBSIDED else None,
        "notional_usd": to_usd(long + short),
        "long_usd": to_usd(long),
        "short_usd": to_usd(short),
        "count": state.count,
        "largest_usd": to_usd(state.largest),
        "windows": windows,
        "highest_hour": _highest(state.highest_hour),
        "highest_day": _highest(state.highest_day),
        "hour_share_of_day": hour_share_of_day(totals, 0),
        "exchanges": [
            {"exchange": name, "long_usd": to_usd(each[0]), "short_usd": to_usd(each[1]), "count": each[2]}
            for name, each in sorted(state.exchanges.items())
        ],
        "threshold_usd": to_usd(state.threshold),
        "normal_usd": None if state.normal is None else to_usd(state.normal),
        "multiple": state.highest / state.normal if state.normal else None,
        "peak_usd": to_usd(state.highest),
        **_prices(state),
        **{name: windows[ONE_HOUR][name] for name in ("densest_price_low", "densest_price_high", "densest_usd")},
        "assets_count": state.assets_count,
    }
    state.sequence += 1
    return record


def _raise_day(state: CascadeState, totals: Totals, time_ms: int) -> None:
    raise_to(state.highest_day, totals.sums[ONE_DAY, 0, :2].tolist(), time_ms)
    raise_to(state.highest_day, state.highest_hour, state.highest_hour[2])  # a day holds its hours


def _prices(state: CascadeState) -> Record:
    first, low, high, last = state.prices or (None, None, None, None)
    return {
        "first_price": first,
        "lowest_price": low,
        "highest_price": high,
        "last_price": last,
        "price_change": last / first - 1 if first and last else None,
    }


def _highest(total: list[int]) -> Record:
    return {"long_usd": to_usd(total[0]), "short_usd": to_usd(total[1]), "at": total[2]}
