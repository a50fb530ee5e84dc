"""What stage 2 knows of assets: told by stage 1, kept for an hour, and no stumbling block for the first version."""

import random
from dataclasses import replace

import numpy as np

from streams.codec import rows as codec
from streams.core.breadth import AssetCells
from streams.core.cascade import CascadeRule
from streams.core.cells import Cells
from streams.core.events import Scope
from streams.units import keep
from streams.units.exchanges import Exchanges
from streams.units.shard import CASCADES
from streams.units.to_market import LATER, SNAPSHOTS
from tests.fuzz import session
from tests.simulation.generate import T0
from tests.simulation.records import Record, batch_of, encoder, reader
from tests.simulation.test_growth import hour
from tests.simulation.world import DESCRIBER

S = T0 // 1_000
RULE = CascadeRule(1_000_000_000, hour_min=1)  # $1,000, and $100 by asset
RULES = {scope: replace(RULE, assets_min=3 * (scope is Scope.MARKET)) for scope in Scope}


class Job:
    """Stage 2 with its compacted changelog."""

    def __init__(self):
        self.rows, self.offset, self.said = {}, 0, []
        self.start()

    def start(self):
        items = list(self.rows.items())
        random.Random(0).shuffle(items)
        self.unit = Exchanges(RULES, 5_000, encoder(), DESCRIBER)
        self.unit.restore(dict(items))

    def hear(self, second, *, clock=None, told=True, **usd):
        """Hear of longs by asset in a second, and of a clock a minute later."""
        each = np.array(list(usd.values()), np.int64) * 1_000_000
        sums, at = np.array([[each.sum(), 0, 1, 0]]), np.array([S + second])
        slots, seconds = np.arange(len(each)) * 2, np.full(len(each), S + second)
        assets = codec.assets_row(list(usd), AssetCells(slots, seconds, each))
        clock_ms = (S + (second + 60 if clock is None else clock)) * 1_000
        messages = [
            (b"\x1fg0", codec.growth_row(["okx"], Cells(np.ones(1, np.int64), at, sums, sums[:, 0]))),
            *([(b"+\x1fb0", assets)] if told else []),
            (b"\x1fw0", codec.watermark_row(clock_ms, 1)),
        ]
        records = [Record(self.offset + at, *each, 0) for at, each in enumerate(messages)]
        self.unit.handle(batch_of(SNAPSHOTS, 0, records))
        self.offset += len(messages)

    def cut(self):
        flush = self.unit.cut()
        for key, value in flush.rows:
            self.rows.pop(key, None)
            if value is not None:
                self.rows[key] = value
        said = [reader().read(message.value) for message in flush.messages if message.topic == CASCADES]
        return [(each["phase"], each["assets_count"]) for each in said if each["scope"] == "MARKET"]

    def kept(self):
        return [key for key in self.rows if key[:1] == keep.ASSETS]


def test_a_restart_in_the_middle_of_the_hour_forgets_no_asset():
    job = Job()
    job.hear(0, BTC=5_000, ETH=60)
    job.cut()
    job.start()
    job.hear(100, ETH=40)
    assert [] == job.cut()

    job.start()
    job.hear(200, SOL=100)
    assert [("ONSET", 3)] == job.cut()


def test_a_cascade_keeps_its_assets_through_a_restart():
    job = Job()
    job.hear(0, BTC=500, ETH=500, SOL=500)
    assert [("ONSET", 3)] == job.cut()

    job.start()
    job.hear(100, BTC=9_000, OTHER=9_000)
    assert [("ESCALATED", 3)] == job.cut()


def test_rows_of_an_hour_that_is_over_are_given_up():
    job = Job()
    job.hear(0, clock=4, BTC=1)
    job.cut()
    job.hear(10, clock=14, BTC=1)
    job.cut()
    assert 2 == len(job.kept())

    for clock, kept in ((3_604, 2), (3_605, 1), (3_614, 1), (3_615, 0)):
        job.hear(0, clock=clock, BTC=1)  # behind the clock: not counted, and not written
        job.cut()
        job.start()
        assert kept == len(job.kept())


def test_what_does_not_fit_into_one_row_is_written_in_several(monkeypatch):
    monkeypatch.setattr(keep, "ASSETS_MAX", 2)
    job = Job()
    job.hear(0, BTC=500, ETH=500, A=99, B=99, C=99)
    assert [] == job.cut()
    assert 3 == len(job.kept())

    job.start()
    job.hear(100, C=1)
    assert [("ONSET", 3)] == job.cut()


# ---------------------------------------------------------------- beside the first version


def test_state_of_the_first_version_is_taken_up_and_holds_no_onset_back():
    job = Job()
    job.hear(0, BTC=100, told=False)
    job.cut()
    assert [] == job.kept()

    job.start()
    job.hear(100, BTC=5_000)
    assert [("ONSET", None)] == job.cut()


def test_the_row_of_a_cascade_is_one_that_the_first_version_reads():
    job = Job()
    job.hear(0, BTC=500, ETH=500, SOL=500)
    job.cut()
    content = codec.parse_json(job.rows[codec.cascade_key("MARKET", "ALL", 0)])

    assert "assets_count" not in content["state"]
    assert 3 == content.pop("assets_count")
    assert keep.machine_of(content).state.assets_count is None


def test_stage_1_says_what_the_first_version_does_not_know_as_if_to_another_application():
    found, (liquidations, others) = session.Session(), hour(T0, 0)
    found.feed("liquidations", liquidations)
    found.feed("funding", [frame for frame in others if frame.topic == "funding"])
    keys = [message.key.partition(b"\x1f") for message in found.shard.cut().messages if message.topic == SNAPSHOTS]

    assert {b"g", b"a", b"x", b"w"} == {key[:1] for app_id, _, key in keys if app_id != LATER.encode()}
    assert [b"b0"] == [key for app_id, _, key in keys if app_id == LATER.encode()]
