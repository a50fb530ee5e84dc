"""The page: everything in one file, every event with its terms, what others wrote shown as text."""

from __future__ import annotations

import json
import re
import tracemalloc
from html import unescape

import pytest
from click.testing import CliRunner

from streams.cli import main
from streams.replay import Report, run
from streams.replay.what_if import changed
from streams.report import png
from streams.report.charts import Span
from streams.report.known import compare, read
from streams.report.svg import Panel, moment, picture, text, time_ticks
from tests.report.replays import HOUR_MS, hear
from tests.test_replay import T0, jsonl, liquidation, settings, stormy

HOSTILE = '<img src="https://example.org/x" onerror="alert(1)">'
DAY_MS = 24 * HOUR_MS


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    hostile = liquidation(T0, 999, asset=HOSTILE, exchange="../up", usd=2e5)
    records = [*stormy(1), hostile, liquidation(T0 + 4 * HOUR_MS, 1_000, usd=1.0)]
    episodes = folder / "episodes.yaml"
    day = moment(T0, "%Y-%m-%d")
    episodes.write_text(
        f"- {{name: Ours & theirs, date: {day}, one_hour_usd: 5_000_000, confirmed: true}}\n"
        "- {name: Long ago, date: 2011-06-19}\n"
    )
    report = Report(folder / "out", ("market.floor=3e5", "share_min=1.0"), episodes)
    path = jsonl(folder / "in<.jsonl", *records)
    run(settings(), [path], file_format=None, out=None, partitions=2, report=report)
    return folder / "out"


@pytest.fixture(scope="module")
def page(reported):
    return (reported / "index.html").read_text(encoding="utf-8")


def events(folder, topic="cascades"):
    lines = map(json.loads, (folder / "events.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["record"] for line in lines if line["topic"] == topic]


def test_the_page_needs_nothing_beside_it(page):
    without = page.replace("http://www.w3.org/2000/svg", "")

    assert [] == re.findall(r"https?://(?!example)|<link|<img|@import|url\(|<script src", without)
    assert "default-src 'none'" in page


def test_what_others_wrote_is_text(page):
    assert HOSTILE not in page
    assert HOSTILE in unescape(page)
    assert "in&lt;.jsonl" in page


def test_every_message_is_on_the_page_with_its_phase(reported, page):
    messages = events(reported)
    ids = {message["cascade_id"] for message in messages}

    assert len(ids) == page.count('<details class="cascade"')
    assert all(name in page for name in ids)
    told = re.findall(r"<td>(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)</td><td>(\w+) \w+</td>", page)
    assert sorted((moment(message["event_time"]), message["phase"]) for message in messages) == sorted(told)


def test_a_total_that_is_a_floor_says_so(page):
    assert re.search(r"<b>at least \$[\d.]+[KM]?</b> liquidated", page)
    assert "<td>Hyperliquid</td><td>ABSENT</td>" in page


def test_known_episodes_stand_beside_what_was_announced(page):
    known = page[page.index("<h2>Known episodes") : page.index("<h2>Cascades")]

    assert "1 of 2 known episodes lie in these records" in known
    assert "Ours &amp; theirs" in known
    assert "Long ago" not in known
    assert "$5.00M" in known


def test_other_thresholds_are_counted_beside_ours(page):
    what_if = page[page.index("<h2>What if") : page.index("<h2>Known episodes")]

    assert "<th" in what_if
    assert [what_if.count(label) > 1 for label in ("as set", "market.floor=3e5", "share_min=1.0")] == [True] * 3


def test_the_pictures_are_written_as_png(reported):
    pytest.importorskip("resvg_py", reason="needs resvg-py: pip install 'liquidation-streams[report]'")

    found = {path.name: path.read_bytes() for path in reported.glob("*.png")}

    exchanges = {"exchange-number-0.png", "exchange-okx.png"}  # the first one calls itself ../up
    assert {"totals.png", "market.png", "what-if.png", *exchanges} <= set(found)
    assert all(content.startswith(b"\x89PNG") for content in found.values())


def test_a_picture_shows_a_name_that_xml_cannot_hold(tmp_path):
    pytest.importorskip("resvg_py", reason="needs resvg-py: pip install 'liquidation-streams[report]'")

    assert png.write(tmp_path, {"a": picture(10, [text(0, 9, "b\uffff")], "b\uffff")})


def test_no_picture_of_an_earlier_report_stays_beside_the_page(tmp_path):
    mine = {"cascade-of-mine.png", "exchange.png"}
    for name in ("what-if.png", "cascade-20260131T153800-LONG.png", *mine):
        (tmp_path / name).touch()

    png.write(tmp_path, {})

    assert mine == {path.name for path in tmp_path.iterdir()}


def test_without_the_renderer_the_page_stands_and_a_sentence_says_what_to_install(monkeypatch, tmp_path):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(png, "import_module", missing)

    assert not png.write(tmp_path, {"a": "<svg/>"})
    assert "pip install 'liquidation-streams[report]'" in png.MISSING


def test_a_page_takes_memory_for_what_is_there_and_not_for_the_years_between(tmp_path):
    in_2019 = liquidation(1_546_300_800_000, 1, usd=2e5)
    path = jsonl(tmp_path / "a.jsonl", in_2019, liquidation(T0, 2))

    tracemalloc.start()
    run(settings(), [path], file_format=None, out=None, partitions=1, report=Report(tmp_path / "out"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 50_000_000


def test_a_page_of_nothing_but_unreadable_lines_says_so(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("not JSON\n")

    with pytest.raises(SystemExit):
        run(settings(), [path], file_format=None, out=None, partitions=1, report=Report(tmp_path))

    assert "Lines that could not be read: 1." in (tmp_path / "index.html").read_text()


def test_the_thresholds_have_how_many_assets_make_a_market(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1))

    run(
        changed(settings(), "market.assets_min=3"),
        [path],
        file_format=None,
        out=None,
        partitions=1,
        report=Report(tmp_path),
    )

    page = (tmp_path / "index.html").read_text()
    head, _, market = page[page.index("<th>scope</th><th>five") :].partition("<td>MARKET</td>")
    assert "3" == re.findall("<td>(.*?)</td>", market)[re.findall("<th>(.*?)</th>", head).index("assets at least") - 1]


def test_records_without_a_liquidation_make_a_page_that_says_so(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1, price=-1.0))

    run(settings(), [path], file_format=None, out=None, partitions=1, report=Report(tmp_path / "out", ("floor=1e6",)))

    assert "No liquidation counts" in (tmp_path / "out" / "index.html").read_text()


# --- what if ---------------------------------------------------------------------------------------------------------


def test_a_threshold_is_changed_for_one_scope_or_for_all():
    one, every = changed(settings(), "market.floor=2e7 market.multiples=2,4,8"), changed(settings(), "share_min=0.8")

    assert (2e7, (2, 4, 8), 100_000) == (
        one.cascade_market.floor_usd,
        one.cascade_market.multiples,
        one.cascade_asset.floor_usd,
    )
    asked = changed(settings(), "market.assets_min=2"), changed(settings(), "assets_min=2")
    assert [2, 2] == [each.cascade_market.assets_min for each in asked]
    assert {0.8} == {getattr(every, f"cascade_{scope}").share_min for scope in ("instrument", "asset", "market")}


@pytest.mark.parametrize(
    ("what_if", "sentence"),
    [
        ("flor=1", r"must be \[scope\.\]name=value with a name of floor, .*, was 'flor=1'"),
        ("planet.floor=1", "was 'planet.floor=1'"),
        ("floor", "was 'floor'"),
        (" ", "was empty"),
        ("market.share_min=2", "--what-if market.share_min: Input should be less than or equal to 1"),
        ("asset.assets_min=2", "--what-if asset.assets_min: Extra inputs"),
        ("multiples=3,2,1", "--what-if instrument.multiples: .*must not fall"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused_in_one_sentence(what_if, sentence):
    with pytest.raises(ValueError, match=sentence):
        changed(settings(), what_if)


def test_the_command_refuses_a_bad_threshold_before_it_reads_anything(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", liquidation(T0, 1))

    bad = CliRunner().invoke(main, ["replay", str(path), "--report", str(tmp_path / "r"), "--what-if", "flor=1"])
    alone = CliRunner().invoke(main, ["replay", str(path), "--what-if", "floor=1e6"])

    assert (2, False) == (bad.exit_code, (tmp_path / "r").exists())
    assert bad.stderr.startswith("streams: --what-if must be")
    assert (2, True) == (alone.exit_code, "name its folder with --report" in alone.stderr)


# --- known episodes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["episodes: 3", "- {date: 2020-01-01}", "- {name: a, date: soon}", "[", "- 1"])
def test_a_file_that_holds_no_episodes_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "known.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"^known\.yaml: episodes must be a list") as refused:
        read(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ended", ["2020-01-01", "2020-01-02"])
def test_an_episode_that_does_not_end_after_its_start_is_refused(tmp_path, ended):
    path = tmp_path / "known.yaml"
    path.write_text(f"- {{name: a, started: 2020-01-02, ended: {ended}}}\n")

    with pytest.raises(ValueError, match=r"a must have ended after it started$"):
        read(path)


def test_a_cascade_is_of_the_episode_whose_time_it_touches_and_others_are_beside(tmp_path):
    #  day 0 (known): storm      day 1 (known by the hour, quiet)      day 2: storm
    start = T0 // DAY_MS * DAY_MS
    storms = [liquidation(start + at, at, usd=150_000.0) for at in (HOUR_MS, 2 * DAY_MS + HOUR_MS)]
    heard = hear([*storms, liquidation(start + 3 * DAY_MS, 1, usd=1.0)])
    path = tmp_path / "known.yaml"
    path.write_text(
        f"episodes:\n- {{name: storm, date: {moment(start, '%Y-%m-%d')}}}\n"
        f"- {{name: quiet, started: {moment(start + DAY_MS + 1)}Z, ended: {moment(start + DAY_MS + HOUR_MS)}Z}}\n"
    )

    (storm, quiet), beside = compare(read(path), heard.recorder)

    assert ([start + HOUR_MS], []) == ([s.first["started"] for s in storm.stories], list(quiet.stories))
    assert (False, True) == (storm.known.timed, quiet.known.timed)
    assert (True, True, 150_000.0) == (storm.recorded, quiet.recorded, storm.hour_usd)
    assert (0.0, 150_000.0) == (quiet.hour_usd, quiet.day_usd)
    assert [start + 2 * DAY_MS + HOUR_MS] == [story.first["started"] for story in beside]


# --- axes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length_ms", [60_000, HOUR_MS, DAY_MS, 17 * DAY_MS, 800 * DAY_MS])
def test_a_time_axis_has_a_few_round_moments(length_ms):
    ticks = time_ticks(T0, T0 + length_ms)

    assert 1 <= len(ticks) <= 13
    assert all(T0 <= ms <= T0 + length_ms for ms, _ in ticks)
    assert len(ticks) == len({name for _, name in ticks})


def test_a_panel_puts_its_edges_where_it_ends():
    panel = Panel(10, 100, 0, 1_000, 1, 100, logarithmic=True)

    assert (110, 60, 10, 110) == tuple(round(panel.y(value)) for value in (1, 10, 100, 0))
    assert (panel.left, panel.left + panel.width) == (panel.x(0), panel.x(1_000))


def test_bins_grow_with_the_time_that_is_shown():
    short = hear([liquidation(T0, 1), liquidation(T0 + HOUR_MS, 2)])
    long = hear([liquidation(T0, 1), liquidation(T0 + 60 * DAY_MS, 2)])

    assert ("minute", "4 hours") == tuple(Span(heard.recorder).name() for heard in (short, long))
