"""One decoded record to one event: the scalar definition of what is accepted and what is refused, and why.

The checks run in a fixed order, so that a record with several faults always gets the same reason.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.codec.fields import Fields, shown
from streams.core.errors import Reason
from streams.core.events import (
    NOTIONAL_USD_MAX,
    ExchangeFlow,
    Funding,
    Liquidation,
    OpenInterest,
    PositionSide,
    PriceKind,
    Quote,
    micro_usd,
)

#: How far a notional may be from price × quantity, as a fraction of the notional.
NOTIONAL_TOLERANCE = 0.01
#: No venue settles more often than each few seconds, or more than all of a position at once, or holds a quadrillion.
FUNDING_INTERVAL_HOURS_MIN, FUNDING_INTERVAL_HOURS_MAX = 1e-3, 24
FUNDING_RATE_MAX = 1.0
OPEN_INTEREST_USD_MAX = 1e15
SIDES = {side.name: side for side in PositionSide}
PRICE_KINDS = {kind.value: kind for kind in PriceKind}


class Arrival(NamedTuple):
    """What the broker knows of a record: its key, and when it was appended where that is the broker's own time."""

    key: bytes | None
    appended_ms: int | None
    future_bound_ms: int


def liquidation(fields: Fields, arrival: Arrival) -> Liquidation:
    """Return the liquidation, or raise ``InvalidEvent``."""
    instrument = fields.instrument()
    liquidation_id = fields.text("liquidation_id")
    price_kind = _price_kind(fields)
    side = _side(fields)
    price, quantity = fields.positive("price"), fields.positive("quantity")
    notional_micro_usd = _notional(fields, price, quantity)
    event_time_ms, ingest_time_ms = _times(fields, arrival)
    fields.keyed(arrival.key, instrument.asset)
    return Liquidation(
        instrument,
        side,
        price,
        price_kind,
        quantity,
        notional_micro_usd,
        event_time_ms,
        ingest_time_ms,
        liquidation_id,
    )


def _price_kind(fields: Fields) -> PriceKind:
    value = fields.values.get("price_kind")
    kind = PRICE_KINDS.get(value) if isinstance(value, str) else None
    if kind is None:
        detail = f"price_kind must be one of {', '.join(PRICE_KINDS)}, was {shown(value)}"
        raise fields.wrong(Reason.MISSING_FIELD, detail)
    return kind


def _side(fields: Fields) -> PositionSide:
    value = fields.values.get("position_side")
    side = SIDES.get(value) if isinstance(value, str) else None
    if side is None:
        detail = f"position_side must be LONG or SHORT, was {shown(value)}"
        raise fields.wrong(Reason.UNKNOWN_SIDE, detail)
    return side


def _notional(fields: Fields, price: float, quantity: float) -> int:
    notional_usd = fields.positive("notional_usd")
    if notional_usd > NOTIONAL_USD_MAX:
        detail = f"notional_usd must be at most {NOTIONAL_USD_MAX:.0f}, was {notional_usd}"
        raise fields.wrong(Reason.ABOVE_CEILING, detail)
    micro = micro_usd(notional_usd)
    if micro < 1:
        detail = f"notional_usd must be at least a millionth of a dollar, was {notional_usd}"
        raise fields.wrong(Reason.IMPOSSIBLE_NUMBER, detail)
    if not abs(notional_usd - price * quantity) <= NOTIONAL_TOLERANCE * notional_usd:
        detail = (
            f"notional_usd must be within 1 % of price × quantity = {price * quantity}, was {notional_usd}"
            " (quantity is in base units)"
        )
        raise fields.wrong(Reason.NOTIONAL_MISMATCH, detail)
    return micro


def _times(fields: Fields, arrival: Arrival) -> tuple[int, int]:
    event_time_ms, ingest_time_ms = fields.time_ms("event_time"), fields.time_ms("ingest_time")
    fields.not_in_future(event_time_ms, ingest_time_ms, arrival.appended_ms, arrival.future_bound_ms)
    return event_time_ms, ingest_time_ms


def funding(fields: Fields, arrival: Arrival) -> Funding:
    """Return the funding, of whatever age, or raise ``InvalidEvent``."""
    instrument = fields.instrument()
    rate = fields.number("funding_rate")
    interval = fields.positive("funding_interval_hours")
    if abs(rate) > FUNDING_RATE_MAX:
        detail = f"funding_rate must be at most {FUNDING_RATE_MAX:g} (a fraction) on either side of 0, was {rate}"
        raise fields.wrong(Reason.ABOVE_CEILING, detail)
    if not FUNDING_INTERVAL_HOURS_MIN <= interval <= FUNDING_INTERVAL_HOURS_MAX:
        bounds = f"at least {FUNDING_INTERVAL_HOURS_MIN} and at most {FUNDING_INTERVAL_HOURS_MAX}"
        detail = f"funding_interval_hours must be {bounds}, was {interval}"
        raise fields.wrong(Reason.IMPOSSIBLE_NUMBER, detail)
    predicted = None if fields.absent("predicted_rate") else fields.number("predicted_rate")
    mark_price = None if fields.absent("mark_price") else fields.positive("mark_price")
    open_interest_usd = None if fields.absent("open_interest_usd") else fields.not_negative("open_interest_usd")
    if open_interest_usd is not None and open_interest_usd > OPEN_INTEREST_USD_MAX:
        detail = f"open_interest_usd must be at most {OPEN_INTEREST_USD_MAX:.0f}, was {open_interest_usd}"
        raise fields.wrong(Reason.ABOVE_CEILING, detail)
    next_time_ms = None if fields.absent("next_funding_time") else fields.time_ms("next_funding_time")
    times = _times(fields, arrival)
    fields.keyed(arrival.key, instrument.asset)
    return Funding(instrument, rate, interval, next_time_ms, predicted, mark_price, open_interest_usd, *times)


def open_interest(fields: Fields, arrival: Arrival) -> OpenInterest:
    """Return the open interest, or raise ``InvalidEvent``."""
    instrument = fields.instrument()
    coins = fields.not_negative("open_interest")
    usd = None if fields.absent("open_interest_usd") else fields.not_negative("open_interest_usd")
    times = _times(fields, arrival)
    fields.keyed(arrival.key, instrument.asset)
    return OpenInterest(instrument, coins, usd, *times)


def quote(fields: Fields, arrival: Arrival) -> Quote:
    """Return the quote, or raise ``InvalidEvent``; bid equal to ask is possible, bid above ask is not."""
    instrument = fields.instrument()
    bid, bid_quantity = fields.positive("bid_price"), fields.not_negative("bid_quantity")
    ask, ask_quantity = fields.positive("ask_price"), fields.not_negative("ask_quantity")
    if bid > ask:
        raise fields.wrong(Reason.IMPOSSIBLE_NUMBER, f"bid_price must be at most ask_price={ask}, was {bid}")
    mark_price = None if fields.absent("mark_price") else fields.positive("mark_price")
    times = _times(fields, arrival)
    fields.keyed(arrival.key, instrument.asset)
    return Quote(instrument, bid, bid_quantity, ask, ask_quantity, mark_price, *times)


def exchange_flow(fields: Fields, arrival: Arrival) -> ExchangeFlow:
    """Return the exchange flow, or raise ``InvalidEvent``."""
    asset, exchange = fields.name("asset"), fields.exchange()
    fields.about = f"asset {asset} on {exchange}: "
    source = fields.text("source")
    inflow, outflow = fields.not_negative("inflow"), fields.not_negative("outflow")
    start_ms, end_ms = fields.time_ms("period_start"), fields.time_ms("period_end")
    if start_ms >= end_ms:
        detail = f"period_end must be after period_start={start_ms}, was {end_ms}"
        raise fields.wrong(Reason.IMPOSSIBLE_TIME, detail)
    times = _times(fields, arrival)
    if end_ms > times[0] + arrival.future_bound_ms:
        detail = f"period_end must be at most {arrival.future_bound_ms} ms after event_time={times[0]}, was {end_ms}"
        raise fields.wrong(Reason.EVENT_TIME_IN_FUTURE, detail)
    fields.keyed(arrival.key, asset)
    return ExchangeFlow(asset, exchange, inflow, outflow, start_ms, end_ms, source, *times)
