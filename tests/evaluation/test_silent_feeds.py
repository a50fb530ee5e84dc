"""Real captures of Binance: no alarm while the capture ran, and one soon after, had the feed died at its end."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from streams.core.feeds import MINUTE_MS, FeedRule, Feeds

CAPTURES = Path(__file__).parents[2].parent / "shared" / "data" / "binance-forceorder-small"
#: A capture is minutes to hours: its own pauses are all the habit there is.
RULE = FeedRule(days_least=0)
#: The collector itself was off: nobody can say that the venue lived.
PAUSE_MINUTES = 60


def minutes_of(path):
    with gzip.open(path, "rt") as lines:
        fields = [line.split(",") for line in lines]
    return sorted({int(line[10]) // MINUTE_MS for line in fields if len(line) > 10})


@pytest.mark.parametrize(
    "name", ["paulius_20250126_20250206", "riftfern_20251227_28", "bands_20240817", "bands_20240818",
             "alejandro_20240620", "neoparth_20250623_a", "neoparth_20250623_b"],
)  # fmt: skip
def test_a_capture_raises_no_alarm_until_it_ends(name):
    path = CAPTURES / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"needs the captures beside the repository: {path.name}")
    minutes, feeds = minutes_of(path), Feeds(RULE)
    for minute, following in zip(minutes, [*minutes[1:], minutes[-1] + 120], strict=True):
        ran = following - minute < PAUSE_MINUTES or minute == minutes[-1]
        feeds.told("binance", minute * MINUTE_MS)
        feeds.alive("binance", range(minute, following) if ran else [minute])

    (found,) = feeds.judge((minutes[-1] + 120) * MINUTE_MS)

    assert found.silent
    assert minutes[-1] + 31 == found.time_ms // MINUTE_MS - 1
