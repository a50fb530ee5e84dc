"""A feed that dies is found, and a quiet one is left in peace."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.feeds import MINUTE_MS, Feed, FeedRule, Feeds, Sisters, detail

DAY = 1_440
SATURDAY = 1_769_817_600_000 // MINUTE_MS  # 2026-01-31 00:00 UTC
#: One bad day would otherwise make a test of weeks.
QUICK = FeedRule(least=3, factor=2, days_least=0)


def judged(feeds, minute):
    """Decide everything that ended by the end of a minute."""
    return feeds.judge((minute + 1) * MINUTE_MS)


def lived(feeds, minutes, liquidations=(), exchange="bybit"):
    """Let a venue live through minutes, with liquidations in some."""
    found = []
    for minute in minutes:
        feeds.alive(exchange, [minute])
        if minute in liquidations:
            feeds.told(exchange, minute * MINUTE_MS + 59_000)
        found += judged(feeds, minute)
    return [(finding.time_ms // MINUTE_MS - 1, finding.silent) for finding in found]


def test_silence_is_found_in_the_first_minute_beyond_the_bound_and_ends_with_the_next_liquidation():
    #  minute   0  1  2  3  4 … 9
    #  feed     x  .  .  .  !   x       at most three minutes are normal
    assert [(4, True), (9, False)] == lived(Feeds(QUICK), range(12), {0, 9})


def test_a_silence_as_long_as_the_bound_is_normal():
    assert [] == lived(Feeds(QUICK), range(5), {0, 4})


def test_minutes_in_which_nothing_of_the_venue_came_are_not_silence():
    assert [] == lived(Feeds(QUICK), [0, 1, 2, 1_000, 1_001], {0, 1_001})


def test_a_venue_that_was_never_heard_to_liquidate_is_found_after_a_day():
    feeds = Feeds()

    assert [(DAY, True)] == lived(feeds, range(DAY + 5))
    assert {"bybit"} == feeds.silent


def test_a_late_liquidation_is_a_sign_of_life():
    feeds = Feeds(QUICK)
    lived(feeds, range(6), {0})
    feeds.told("bybit", 2 * MINUTE_MS)

    assert [(6, False)] == lived(feeds, range(6, 8))


def test_a_sister_that_is_behind_the_market_is_waited_for_up_to_an_hour():
    feeds = Feeds(QUICK)
    feeds.alive("bybit", [0])
    feeds.told("bybit", 0)

    assert [] == judged(feeds, 59)
    assert 0 == feeds.known["bybit"].judged

    judged(feeds, 62)

    assert 2 == feeds.known["bybit"].judged


def test_a_sister_that_is_ahead_of_the_market_waits_as_long_as_the_habit_looks_back():
    feeds = Feeds(FeedRule(days=2))
    feeds.alive("bybit", range(2 * DAY + 1))

    assert [] == judged(feeds, -1)
    assert (2 * DAY, 1) == (len(feeds.known["bybit"].alive), min(feeds.known["bybit"].alive))


def test_a_minute_that_is_decided_stays_decided():
    feeds = Feeds(QUICK)
    lived(feeds, range(10), {0, 9})
    feeds.alive("bybit", range(10))

    assert not feeds.known["bybit"].alive


def test_a_minute_is_told_once_for_each_topic_however_far_another_has_been_read():
    sisters = Sisters()
    for topic, minute in (("funding", 9), ("quotes", 3), ("quotes", 3), ("quotes", 4), ("funding", 8)):
        sisters.hear(topic, "okx", minute * MINUTE_MS)

    assert {"okx": [3, 4, 9]} == sisters.take()


def test_a_minute_that_is_older_than_the_habit_is_not_told_whether_its_venue_was_forgotten_or_not():
    rule = FeedRule(days=1, exchanges_max=2)
    for names in (["okx"], ["okx", "bitmex"]):
        sisters = Sisters(rule)
        sisters.hear("quotes", "bybit", 0)
        for name in names:  # the second one needs room, and bybit is forgotten
            sisters.hear("quotes", name, (DAY + 9) * MINUTE_MS)
        assert ("bybit" in sisters.newest["quotes"]) == (names == ["okx"])
        sisters.take()
        sisters.hear("quotes", "bybit", 9 * MINUTE_MS)

        assert {} == sisters.take()


def test_of_venues_beyond_the_limit_of_a_topic_nothing_is_told():
    sisters = Sisters(FeedRule(exchanges_max=2))
    for number in range(9):
        sisters.hear("quotes", f"venue{number}", 0)
    sisters.hear("quotes", "venue1", MINUTE_MS)
    sisters.hear("funding", "venue8", 0)

    assert {"venue0": [0], "venue1": [0, 1], "venue8": [0]} == sisters.take()


def test_a_venue_beyond_the_limit_is_listened_to_once_it_has_liquidations():
    feeds = Feeds(FeedRule(least=3, factor=2, days_least=0, exchanges_max=1))
    lived(feeds, range(3), {0}, "okx")
    lived(feeds, range(3), (), "bybit")

    assert {"okx"} == feeds.known.keys()
    assert [(6, True)] == lived(feeds, range(2, 9), {2}, "bybit")


def test_a_venue_of_which_nothing_was_heard_for_as_long_as_the_habit_looks_back_is_forgotten():
    feeds = Feeds(FeedRule(least=3, factor=2, days=2, days_least=0))
    lived(feeds, range(6), {0})
    assert {"bybit"} == feeds.silent
    judged(feeds, 2 * DAY + feeds.rule.patience - 1)
    assert {"bybit"} == feeds.known.keys()
    feeds.changed.clear()
    judged(feeds, 2 * DAY + feeds.rule.patience)

    assert ({}, {"bybit"}, frozenset()) == (feeds.known, feeds.changed, feeds.silent)


def test_an_outage_that_the_habit_has_found_makes_it_no_longer_than_its_bound():
    # Two of 20 hours, on the ninth and the tenth day; the third is found an hour later than they were.
    outages = [range(day * DAY + 60, day * DAY + 1_260) for day in (8, 9, 11)]
    minutes = range(SATURDAY, SATURDAY + 12 * DAY)
    liquidations = {minute for minute in minutes if not any(minute - SATURDAY in outage for outage in outages)}
    found = lived(Feeds(), minutes, liquidations)

    expected = [
        each for outage, bound in zip(outages, (30, 30, 90), strict=True)
        for each in ((outage[bound], True), (outage[-1] + 1, False))
    ]  # fmt: skip
    assert expected == [(minute - SATURDAY, silent) for minute, silent in found]


def test_a_feed_that_has_become_quieter_is_let_be_from_the_second_day_on():
    minutes = range(SATURDAY, SATURDAY + 20 * DAY)
    quieter = {minute for minute in minutes if minute < SATURDAY + 10 * DAY or minute % 60 == 0}
    found = lived(Feeds(), minutes, quieter)

    assert [True, False] == [silent for _, silent in found][:2]
    assert SATURDAY + 10 * DAY < found[-1][0] <= SATURDAY + 11 * DAY + 60


def test_silences_that_were_found_before_the_habit_was_known_are_of_it():
    rule = FeedRule(least=3, factor=2, unknown=5, days=3, days_least=3, day_least=1)
    feeds = Feeds(rule)
    for day in range(2):
        lived(feeds, range(day * DAY, day * DAY + 9), {day * DAY, day * DAY + 8})

    assert 14 == feeds.known["bybit"].bound(rule)


def test_the_sentence_says_that_the_habit_is_not_known_yet():
    feeds = Feeds(FeedRule(unknown=3))
    feeds.told("okx", 0)
    feeds.alive("okx", range(5))
    (silent,) = judged(feeds, 4)

    assert (
        "No liquidation of OKX in 4 minutes in which its other streams spoke; its habit is not known yet."
    ) == detail(silent)


def test_the_sentence_says_what_was_normal():
    feeds = Feeds(QUICK)
    feeds.told("okx", 0)
    feeds.alive("okx", range(30))
    feeds.alive("bybit", range(30))
    never, silent = judged(feeds, 29)
    feeds.told("okx", 30 * MINUTE_MS)
    feeds.alive("okx", [30])
    (back,) = judged(feeds, 30)

    assert (
        "No liquidation of OKX in 4 minutes in which its other streams spoke; up to 3 are normal for it.",
        "No liquidation of Bybit in 4 minutes in which its other streams spoke; none was ever seen.",
        "Liquidations of OKX are back after 29 minutes in which its other streams spoke.",
    ) == (detail(silent), detail(never), detail(back))


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("atj")), max_size=60))
def test_a_restart_after_every_step_changes_nothing(steps):
    whole, restarted, found = Feeds(QUICK), Feeds(QUICK), [[], []]
    for minute, what in steps:
        for number, feeds in enumerate((whole, restarted)):
            if what == "a":
                feeds.alive("okx", [minute])
            elif what == "t":
                feeds.told("okx", minute * MINUTE_MS)
            else:
                found[number] += judged(feeds, minute)
        restarted.known = {name: Feed.from_json(feed.to_json(since=1 << 40)) for name, feed in restarted.known.items()}

    assert whole.known == restarted.known
    assert found[0] == found[1]


# -------------------------------------------------------------------- weeks at real rates

#: Liquidations a day, from the busiest feed to one that has a handful.
RATES = {"binance": 12_000, "bybit": 9_000, "okx": 2_500, "bitmex": 120, "deribit": 25}


def week_of(chance, minute, rate):
    """Return whether a minute has a liquidation: half as many at night, a quarter at weekends, a storm now and then."""
    day, hour = minute // DAY, minute % DAY / 60
    share = (0.5 if hour < 7 else 1.2) * (0.25 if (day + 3) % 7 in {5, 6} else 1.2)
    return chance.random() < min(1.0, share * rate / DAY)


def weeks(seed, days, dead=None):
    """Let weeks pass, told by the hour: each minute is decided for itself."""
    chance = random.Random(seed)
    feeds, found = Feeds(), []
    for hour in range(SATURDAY, SATURDAY + days * DAY, 60):
        minutes = range(hour, hour + 60)
        for exchange, rate in RATES.items():
            feeds.alive(exchange, minutes)
            for minute in minutes:
                if week_of(chance, minute, rate) and not (dead and dead[0] == exchange and minute in dead[1]):
                    feeds.told(exchange, minute * MINUTE_MS)
        found += judged(feeds, minutes[-1])
    return found


@pytest.mark.no_cover
def test_six_weeks_with_their_weekends_and_no_false_alarm():
    assert [] == weeks(1, 42)


@pytest.mark.no_cover
@pytest.mark.parametrize(("exchange", "within"), [("binance", 30), ("okx", 90), ("bitmex", 1_200)])
def test_a_feed_that_dies_on_a_wednesday_is_found_in_a_time_that_fits_its_habit(exchange, within):
    wednesday = SATURDAY + 25 * DAY + 600
    silent, back = weeks(3, 28, (exchange, range(wednesday, wednesday + 2 * DAY)))

    assert (exchange, True, exchange, False) == (silent.exchange, silent.silent, back.exchange, back.silent)
    assert silent.time_ms // MINUTE_MS - wednesday <= within + 1
    assert 0 <= back.time_ms // MINUTE_MS - (wednesday + 2 * DAY) <= 60


def test_liquidations_that_the_markets_minutes_hold_are_not_kept_a_second_time():
    # While one partition is ten days behind the others, those are fourteen thousand minutes.
    feeds = Feeds(QUICK)
    feeds.known["okx"] = Feed(judged=100)
    own = [minute * MINUTE_MS + 7_000 for minute in range(101, 14_501)]
    feeds.told("okx", 99 * MINUTE_MS, *own)
    row = feeds.known["okx"].to_json(since=103)
    assert {101: own[0], 102: own[1]} == row["told"]

    restored = Feeds(QUICK)
    restored.known["okx"] = Feed.from_json(row)
    restored.resume("okx", 99 * MINUTE_MS, *own[2:])
    restored.resume("bybit", *own)  # of which no feed is known: nothing was told of it
    assert restored.known == feeds.known


def test_a_late_liquidation_in_an_open_minute_of_its_own_is_kept():
    feed = Feed(judged=100, told={101: 99 * MINUTE_MS, 102: 102 * MINUTE_MS})
    assert {101: 99 * MINUTE_MS} == feed.to_json(since=0)["told"]
