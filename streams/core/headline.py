"""A cascade or a crowded position in one sentence that a news desk could print.

What is null is left out, never guessed; what is ordinary is left out too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from streams.core.phrases import exchange_name, listed, money, percent, percent_a_year, times

Record = Mapping[str, Any]

#: The venues' base rate of 0.01 % per 8 h, annualised (a fraction): up to here funding is neutral.
BASE_RATE_ANNUALISED: Final = 0.1095
#: Volatility at or under this percentile of its own history was low ...
LOW_PERCENTILE: Final = 25.0
#: ... and at or over this one high; transfers to exchanges at or over it were large.
HIGH_PERCENTILE: Final = 75.0
#: From this multiple of its normal on a spread is wide, and volatility has risen.
MULTIPLE_MIN: Final = 1.5
#: Under this change open interest and price have not moved (a fraction).
CHANGE_MIN: Final = 0.005

_SIDES: Final = {"LONG": "longs", "SHORT": "shorts"}
_CROWDED: Final = {"ELEVATED": "somewhat crowded", "CROWDED": "crowded", "EXTREME": "extremely crowded"}
#: So near to zero or to the base rate funding is not on one side of it (a fraction a year).
_NEAR: Final = 0.005
_HOURS_SPOKEN_MAX: Final = 48


def headline(cascade: Record) -> str:
    r"""Return a ``Cascade`` wire record as one English sentence.

    Who and how much; where; which side; what was known before; how it compares.
    The hour is the highest since onset, the day the highest at a message; the venues are those of what came since.
    Money is rounded down where the sentence says "at least".

    Parameters
    ----------
    cascade
        The wire record; its own ``headline`` is not read.

    Examples
    --------
    >>> hour = {"long_usd": 331e6, "short_usd": 21.9e6, "at": 1769883480000}
    >>> day = {"long_usd": 9.9e8, "short_usd": 6.8e7, "at": 1769885160000}
    >>> venue = {"exchange": "binance", "long_usd": 331e6, "short_usd": 21.9e6}
    >>> cascade = {"scope": "MARKET", "phase": "PEAK", "position_side": "LONG", "side_share": 0.94, "at_least": True,
    ...     "asset": None, "symbol": None, "exchange": None, "highest_hour": hour, "highest_day": day,
    ...     "exchanges": [venue], "price_change": None, "context": {}, "aftermath": None, "comparisons": []}
    >>> print(headline(cascade).replace("; ", ";\n"))
    At least $352M of crypto futures liquidated in one hour and $1.05B in 24 hours;
    since onset on Binance;
    longs took 94 %.

    A day that holds no more than its hour is not mentioned:

    >>> headline({**cascade, "highest_day": hour, "at_least": False})
    '$353M of crypto futures liquidated in one hour; since onset on Binance; longs took 94 %.'

    """
    clauses = [
        _amounts(cascade),
        _venues(cascade),
        _side(cascade),
        _price(cascade),
        _before(cascade),
        _after(cascade) if cascade["phase"] == "SUBSIDED" else _meanwhile(cascade),
        _comparison(cascade["comparisons"]),
    ]
    return "; ".join(clause for clause in clauses if clause) + "."


def crowded_headline(record: Record) -> str:
    """Return a ``CrowdedPosition`` wire record as one English sentence.

    Parameters
    ----------
    record
        The wire record; its own ``headline`` is not read.

    Examples
    --------
    >>> record = {"scope": "ASSET", "asset": "BTC", "symbol": None, "position_side": "LONG", "phase": "STARTED",
    ...     "grade": "CROWDED", "funding_rate_annualised": 0.438, "percentile": 98.2, "history_days": 180.0,
    ...     "streak_hours": 72.0, "exchanges": [{"exchange": "okx"}]}
    >>> crowded_headline(record)
    'Longs in BTC are crowded: funding at 43.8 % a year on OKX, percentile 98 of 180 days, for 3 days.'

    Without enough history there is no rank, and none is printed:

    >>> crowded_headline({**record, "percentile": None, "phase": "ENDED", "funding_rate_annualised": 0.1})
    'Longs in BTC are no longer crowded: funding at 10.0 % a year on OKX.'

    """
    ended = record["phase"] == "ENDED"
    venues = listed([exchange_name(name) for name in dict.fromkeys(e["exchange"] for e in record["exchanges"])])
    what = record["asset"] if record["symbol"] is None else record["symbol"]
    whose = f"{_SIDES[record['position_side']].capitalize()} in {what}"
    if ended and not venues:
        return f"{whose} are not known to be crowded any more: no funding."
    how = "no longer crowded" if ended else _CROWDED.get(record["grade"], "crowded")
    if record["phase"] == "GRADE_CHANGED":
        how = f"now {how}"
    rate = f"funding at {percent_a_year(record['funding_rate_annualised'])}"
    parts = [f"{rate} on {venues}" if venues else rate]
    if not ended:
        parts += [_rank(record), _streak(record["streak_hours"])]
    return f"{whose} are {how}: {', '.join(filter(None, parts))}."


def _amounts(cascade: Record) -> str:
    lower = cascade["at_least"]
    hour, day = (money(_both(cascade[name]), floor=lower) for name in ("highest_hour", "highest_day"))
    verb = "were liquidated" if cascade["phase"] == "SUBSIDED" else "liquidated"
    text = f"{'At least ' if lower else ''}{hour} of {_what(cascade)} futures {verb} in one hour"
    if day != hour:
        text += f" and {day} in 24 hours"
    # Of an exchange or its contract the amounts are its own; of an asset or the market they may hold others.
    return f"{text} on {exchange_name(cascade['exchange'])}" if cascade["exchange"] else text


def _venues(cascade: Record) -> str:
    venues = listed([exchange_name(name) for name in _by_size(cascade["exchanges"])])
    return f"since onset on {venues}" if venues and not cascade["exchange"] else ""


def _both(total: Record) -> float:
    return float(total["long_usd"] + total["short_usd"])


def _what(cascade: Record) -> str:
    return str(cascade["symbol"] or cascade["asset"] or "crypto")


def _by_size(exchanges: Iterable[Record]) -> list[str]:
    totals = [(-_both(e), e["exchange"]) for e in exchanges]
    return [name for total, name in sorted(totals) if total < 0]


def _side(cascade: Record) -> str:
    side = _SIDES.get(cascade["position_side"])
    if not side:
        return ""
    # The sentence has just named the hour, so the share is the hour's; of an hour that was the other side's it is that
    # of what came since the onset.
    hour = cascade["highest_hour"]
    ours = hour["long_usd" if cascade["position_side"] == "LONG" else "short_usd"]
    if 2 * ours >= _both(hour) > 0:
        return f"{side} took {percent(ours / _both(hour))}"
    return f"{side} took {percent(cascade['side_share'])} since onset"


def _price(cascade: Record) -> str:
    change = cascade["price_change"]
    return "" if change is None or abs(change) < CHANGE_MIN else f"price {_moved(change)}"


def _moved(change: float) -> str:
    return f"{'down' if change < 0 else 'up'} {percent(abs(change))}"


def _before(cascade: Record) -> str:
    context = cascade["context"]
    found = [
        _funding(context, cascade["position_side"]),
        ("volatility", _volatility(context.get("volatility"))),
        ("transfers to exchanges", _inflow(context.get("exchange_inflow"))),
    ]
    known = [(what, word) for what, word in found if word]
    if not known:
        return ""
    (what, word), *others = known
    return ", ".join([f"{_whose(cascade)}{what} had been {word}", *(f"{what} {word}" for what, word in others)])


def _whose(cascade: Record) -> str:
    # A wider scope borrows the context of one asset: say which.
    asset = cascade["context"].get("asset")
    return f"{asset} " if asset and asset != cascade["asset"] else ""


def _funding(context: Record, position_side: str) -> tuple[str, str]:
    grade, side = _CROWDED.get(context.get("crowded") or "", ""), _SIDES.get(position_side, "")
    reading = context.get("funding_rate_annualised")
    if reading is None:
        return side, grade if side else ""
    sign = "negative" if reading["value"] < -_NEAR else "neutral"
    if reading["value"] > BASE_RATE_ANNUALISED + _NEAR:
        sign = "positive"
    return "funding", f"{sign} ({grade} {side})" if grade and side else sign


def _volatility(reading: Record | None) -> str:
    rank = None if reading is None else reading["percentile"]
    if rank is None or LOW_PERCENTILE < rank < HIGH_PERCENTILE:
        return ""
    return "low" if rank <= LOW_PERCENTILE else "high"


def _inflow(reading: Record | None) -> str:
    rank = None if reading is None else reading["percentile"]
    return "large" if rank is not None and rank >= HIGH_PERCENTILE else ""


def _meanwhile(cascade: Record) -> str:
    context = cascade["context"]
    spread, change = context.get("spread_multiple"), context.get("open_interest_change")
    found = [_spread(spread and spread["value"]), _open_interest(change and change["value"])]
    return _joined(f"{_whose(cascade)}", found)


def _after(cascade: Record) -> str:
    aftermath = cascade["aftermath"] or {}
    ended = aftermath.get("crowding_ended")
    found = [
        _spread(aftermath.get("spread_multiple")),
        _open_interest(aftermath.get("open_interest_change")),
        _rise(aftermath.get("volatility_multiple")),
        "" if ended is None else f"crowding {'over' if ended else 'not over'}",
        _recovered(aftermath.get("price_recovered"), cascade["position_side"]),
    ]
    return _joined(f"afterwards {_whose(cascade)}", found)


def _joined(lead: str, found: Iterable[str]) -> str:
    known = [text for text in found if text]
    return lead + ", ".join(known) if known else ""


def _spread(multiple: float | None) -> str:
    return f"spreads {times(multiple)} as wide" if multiple is not None and multiple >= MULTIPLE_MIN else ""


def _rise(multiple: float | None) -> str:
    return f"volatility {times(multiple)} as high" if multiple is not None and multiple >= MULTIPLE_MIN else ""


def _open_interest(change: float | None) -> str:
    if change is None:
        return ""
    return f"open interest {'unchanged' if abs(change) < CHANGE_MIN else _moved(change)}"


def _recovered(part: float | None, position_side: str) -> str:
    if part is None or position_side not in _SIDES:
        return ""
    move = "fall regained" if position_side == "LONG" else "rise given back"
    if part >= 1:
        return f"all of the {move}"
    return f"{percent(part)} of the {move}" if part >= CHANGE_MIN else f"none of the {move}"


def _comparison(comparisons: Iterable[Record]) -> str:
    confirmed = [c for c in comparisons if c["confirmed"]]
    if not confirmed:
        return ""
    # The hour says more about a burst than the day; of equals the first, which is the nearest.
    best = min(confirmed, key=lambda c: c["window"] != "1h")
    size = percent(best["share"]) + " of" if best["share"] < MULTIPLE_MIN else times(best["share"])
    return f"{size} the {'hour' if best['window'] == '1h' else 'day'} of {best['date']}"


def _rank(record: Record) -> str:
    rank = record["percentile"]
    if rank is None:
        return ""
    return f"percentile {rank:.0f} of {record['history_days']:.0f} days"


def _streak(hours: float) -> str:
    if hours >= _HOURS_SPOKEN_MAX:
        return f"for {hours / 24:.0f} days"
    whole = round(hours)
    return f"for {whole} hour{'s' if whole > 1 else ''}" if whole else ""
