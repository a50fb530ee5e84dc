"""The command gives the totals of real captures to the dollar, and counts each order once."""

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import main

CAPTURES = Path(__file__).parents[2].parent / "shared" / "data" / "binance-forceorder-small"

#: As in SOURCE.md: records, each once, long and short dollars. The one bad line of 2024-06-20 is no record.
KNOWN = {
    "paulius_20250126_20250206": (3_510, 1_837, "2,835,649", "710,714"),
    "riftfern_20251227_28": (2_045, 2_045, "544,020", "1,507,010"),
    "bands_20240817": (456, 456, "172,863", "269,448"),
    "bands_20240818": (385, 385, "89,260", "383,704"),
    "alejandro_20240620": (101, 101, "7,710", "149,231"),
    "neoparth_20250623_a": (700, 700, "876,848", "448,743"),
    "neoparth_20250623_b": (446, 446, "216,770", "1,752,803"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_capture_gives_its_known_totals_to_the_dollar(name, tmp_path):
    path = CAPTURES / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"needs the captures beside the repository: {path.name}")
    out = tmp_path / "events.jsonl"

    result = CliRunner().invoke(
        main, ["replay", "--format", "binance-forceorder-csv", "--out", str(out), str(path)], catch_exceptions=False
    )

    said = [line.split() for line in result.stderr.splitlines()]
    (counts,) = [words[1:] for words in said if words[:1] == ["liquidations"]]
    dollars = [words[-1].replace(",", "") for words in said if "liquidated," in words]
    read, once, long, short = KNOWN[name]
    assert [f"{count:,}" for count in (read, once, read - once, 0)] == counts
    assert [long, short] == [f"{float(total):,.0f}" for total in dollars]
    assert Counter(json.loads(line)["topic"] for line in out.read_text().splitlines())["liquidation-windows"] > 0
