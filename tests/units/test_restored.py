"""What a unit knows of crowding and of what surrounds an asset is in its rows: a restart forgets nothing."""

from __future__ import annotations

import pytest

from streams.core.events import PositionSide
from tests.codec.builders import T, exchange_flow, funding, open_interest, quote
from tests.fuzz.inputs import frames
from tests.fuzz.seeds import DAY, MINUTE, story
from tests.fuzz.session import Session

HOUR, LAST = 60 * MINUTE, T + 3 * DAY


def told():
    """Four days of rates, each higher than the one before, of flows, of interest, and of quotes that move."""
    found = []
    for day in range(4):
        at = T + day * DAY
        rate = 0.002 * (1 + day)
        found += [
            ("funding", funding(funding_rate=rate, funding_interval_hours=24.0, event_time=at, next_funding_time=None)),
            ("open-interest", open_interest(event_time=at, open_interest=9e4 - day)),
            ("exchange-flows", exchange_flow(period_start=at - HOUR, period_end=at, event_time=at, inflow=900.0 + day)),
        ]
        found += [("quotes", quote(event_time=at + k * MINUTE, mark_price=8e4 + 90 * k * k)) for k in range(4)]
    return frames(story(*found), most=len(found))


def known(session):
    """Return what would be said of an asset now."""
    at, shard = LAST + 4 * MINUTE, session.shard
    before = shard.context.before("BTC", at)
    first = shard.context.before("BTC", LAST + MINUTE)
    after = shard.context.after(first, "BTC", PositionSide.SHORT, LAST + MINUTE, at)
    crowding = shard.crowding.reading("BTC", at), shard.crowding.crowded("BTC", PositionSide.LONG, at)
    return before.to_json(), [getattr(after, name) for name in after.__slots__], crowding


@pytest.mark.parametrize("every", [1, 5, 28])
def test_a_restart_forgets_nothing_of_crowding_and_context(every):
    plain, restarted = Session(), Session()
    for number, frame in enumerate(told(), start=1):
        for session in (plain, restarted):
            session.feed(frame.topic, [frame])
            session.flush({})
        if number % every == 0:
            restarted.restart()

    before, after, (reading, crowded) = known(plain)
    assert None not in [*before.values(), reading, crowded]
    assert any(after)
    assert (before, after, (reading, crowded)) == known(restarted)
