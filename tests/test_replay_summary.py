"""What a replay says of itself at its end."""

from __future__ import annotations

from streams.replay.load import partition_of
from streams.replay.summary import caveats
from tests.test_replay import T0, funding, jsonl, liquidation, replay

DAY_MS = 86_400_000


def test_only_liquidations_that_count_show_that_the_market_stands_behind(tmp_path):
    later = [funding(T0 + DAY_MS), liquidation(T0 + DAY_MS, 9, price=-1.0)]

    summary, _ = replay(tmp_path, jsonl(tmp_path / "a.jsonl", liquidation(T0, 1), *later), partitions=1)

    assert (0, []) == (summary.market_behind_ms, caveats(summary))


def test_the_page_and_the_terminal_say_from_the_same_minute_on_that_the_market_waits(tmp_path, capsys):
    assert partition_of(b"BTC", 16) != partition_of(b"ETH", 16)
    sentence = "Exchanges and the market stand 1 min before the newest liquidation that counts"
    for behind_ms, said in ((59_999, False), (60_000, True)):
        path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1), liquidation(T0 + behind_ms, 2, "ETH"))

        summary, _ = replay(tmp_path, path, partitions=16)

        assert [said, said] == [sentence in capsys.readouterr().err, sentence in " ".join(caveats(summary))]
