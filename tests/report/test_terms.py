"""The terms that a report gives are those by which the rule decided."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.core.cascade import CascadeRule
from streams.report.costs import cost
from streams.report.terms import onset_bar, terms
from tests.report.replays import hear
from tests.test_replay import LOW, T0, liquidation, settings, stormy

MINUTE_MS = 60_000


def escalating():
    """Enough of one side, ever faster, to rise through the severities and to fall again."""
    storm = [
        liquidation(T0 + at * 1_000, at, usd=1_000.0 * (1 + at // 20), exchange=("okx", "bybit")[at % 2])
        for at in range(400)
    ]
    return [*storm, liquidation(T0 + 3_600_000, 400, usd=1.0)]


@pytest.mark.parametrize("records", [stormy(1), stormy(2), escalating()], ids=["storm", "another", "escalating"])
def test_the_terms_of_every_message_are_met(records):
    heard = hear(records, of=settings(cascade_market={**LOW, "share_min": 0.7, "peak_fall": 0.4, "release": 0.3}))

    said = Counter()
    for story in heard.stories():
        for message in story.messages:
            found = terms(heard.rules[message["scope"]], message)
            enough = any if message["phase"] == "ESCALATED" else all
            at_the_end = message["phase"] == "PEAK" and message["event_time"] == story.last["event_time"]
            assert enough(term.met for term in found) or at_the_end, (message["phase"], found)
            said[message["phase"]] += 1
    assert {"ONSET", "PEAK", "SUBSIDED"} <= set(said)


def test_the_terms_name_values_and_bars():
    heard = hear(escalating())
    story = next(story for story in heard.stories("MARKET"))
    onset, escalated = story.messages[0], next(m for m in story.messages if m["phase"] == "ESCALATED")

    reached, share, lasting = terms(heard.rules["MARKET"], onset)
    by_five, _ = terms(heard.rules["MARKET"], escalated)

    assert ("longs in five minutes", "≥ $100,000", True) == (reached.what, reached.bar, reached.met)
    assert f"${round(onset['windows'][1]['long_usd']):,}" == reached.value
    assert ("100.0%", "≥ 65 %") == (share.value, share.bar)
    assert ("longs in the hour", "≥ $100,000", True) == (lasting.what, lasting.bar, lasting.met)
    assert "≥ $300,000" == by_five.bar


@pytest.mark.parametrize(("count", "value", "met"), [(3, "3", True), (2, "2", False), (None, "not known", True)])
def test_a_market_says_how_many_assets_it_had_and_how_many_it_needs(count, value, met):
    (story,) = hear(escalating()).stories("MARKET")
    rule = CascadeRule(100_000_000_000, hour_min=1, assets_min=3)

    *others, assets = terms(rule, {**story.first, "assets_count": count})

    assert 3 == len(others)
    assert (value, "≥ 3", met) == (assets.value, assets.bar, assets.met)
    assert "assets with longs of $10,000 in the hour" == assets.what


def test_a_value_under_its_bar_is_not_met():
    heard = hear(escalating())
    story = next(story for story in heard.stories("MARKET"))
    onset = {**story.first, "threshold_usd": story.first["windows"][1]["long_usd"] + 0.01}
    early = {**story.last, "ended": story.last["event_time"] - LOW["quiet_ms"] + 1}

    assert [False, True, False] == [term.met for term in terms(heard.rules["MARKET"], onset)]
    assert [False] == [term.met for term in terms(heard.rules["MARKET"], early)]


@pytest.mark.parametrize(
    ("multiple", "normal_usd", "told"),
    [
        (0, 5.0, "floor $1.00M alone"),
        (8, None, "floor $1.00M; own normal not known yet (fewer than 24 hours)"),
        (8, 200_000.0, "the larger of floor $1.00M and 8 × own normal five minutes of $200K = $1.60M"),
    ],
)
def test_a_threshold_says_where_it_comes_from(multiple, normal_usd, told):
    assert told == onset_bar(CascadeRule(1_000_000_000_000, multiple=multiple), normal_usd)


def test_the_cost_of_waiting_is_counted_from_the_whole_minute_that_rose_over_the_release_bar():
    #  minute   0       1       2        3 s later
    #  $        60k     10k     10k      20k: 100k is the threshold, 50k the release bar
    start = T0 // MINUTE_MS * MINUTE_MS
    usd = {0: 60_000.0, 60: 10_000.0, 120: 10_000.0, 183: 20_000.0, 190: 300_000.0, 3_600: 1.0}
    heard = hear([liquidation(start + second * 1_000, second, usd=each) for second, each in usd.items()])

    for story in heard.stories("MARKET", "ASSET"):
        found = cost(story, heard.rules[story.first["scope"]], heard.recorder)
        assert ((183 - 60) * 1_000, False) == (found.waited_ms, found.waited_longer)
        assert (100_000.0, 400_000.0, 0.25) == (found.gone_usd, found.total_usd, found.gone)
    long_ago = {0: 60_000.0} | {60 * minute: 60_000.0 for minute in range(5, 120, 5)} | {7_200: 200_000.0}
    heard_long = hear([liquidation(start + second * 1_000, second, usd=each) for second, each in long_ago.items()])
    (story,) = heard_long.stories("ASSET")
    assert cost(story, heard_long.rules["ASSET"], heard_long.recorder).waited_longer
    (instrument,) = heard.stories("INSTRUMENT")
    assert cost(instrument, heard.rules["INSTRUMENT"], heard.recorder).waited_ms is None
