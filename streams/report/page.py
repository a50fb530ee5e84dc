"""The page: one file that needs nothing beside it, neither a server nor the network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from streams import __version__
from streams.core.cascade import CascadeRule
from streams.core.coverage import Coverage, Venues
from streams.core.events import Scope
from streams.core.market import ALL
from streams.core.phrases import exchange_name
from streams.report import charts, sections
from streams.report.charts import Span
from streams.report.known import Known
from streams.report.markup import money_of, table
from streams.report.minutes import MINUTE_MS
from streams.report.recorder import Recorder
from streams.report.svg import moment

Rules = dict[Scope, CascadeRule]

_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<style>$css</style></head>
<body><h1>$title</h1>
$body
<script>$script</script></body></html>
""")


@dataclass(frozen=True, slots=True)
class Played:
    """One set of thresholds over the records, and what came of it."""

    label: str
    rules: Rules
    recorder: Recorder


@dataclass(frozen=True, slots=True)
class Replayed:
    """Everything that a page is made of; the first of ``played`` is the one that the events are from."""

    files: Sequence[str]
    caveats: Sequence[str]
    counts: Sequence[Sequence[str]]
    venues: Venues
    played: Sequence[Played]
    known: Sequence[Known] | None


def write(folder: Path, replayed: Replayed) -> dict[str, str]:
    """Write ``index.html``; return the pictures as SVG, by the name of a file."""
    ours = replayed.played[0]
    recorder, span = ours.recorder, Span(ours.recorder)
    covered = coverage(replayed.venues, recorder)
    exchanges = recorder.minutes.exchanges()
    pictures: dict[str, str] = {}
    body = [_head(replayed, covered)]
    if exchanges:
        pictures["totals"] = charts.totals(recorder, span, covered)
        pictures["market"] = charts.measured(ALL, Scope.MARKET, recorder, span, ours.rules[Scope.MARKET])
        body += [_picture("Over time", pictures["totals"]), _picture("What the rule saw", pictures["market"])]
    for number, name in enumerate(exchanges):
        drawn = charts.measured(name, Scope.EXCHANGE, recorder, span, ours.rules[Scope.EXCHANGE])
        # A name is whatever a producer wrote, and not every one should name a file.
        pictures[f"exchange-{name if re.fullmatch('[a-z0-9]+', name) else f'number-{number}'}"] = drawn
        title = f"The same of {escape(exchange_name(name))}"
        body.append(f'<details><summary>{title}</summary><div class="wide">{drawn}</div></details>')
    if exchanges and len(replayed.played) > 1:
        lanes = [(each.label, each.recorder) for each in replayed.played]
        pictures["what-if"] = charts.side_by_side(lanes, span)
        body.append(sections.what_ifs(lanes, pictures["what-if"]))
    if replayed.known is not None:
        body.append(sections.known(replayed.known, recorder))
    told, drawn_cascades = sections.cascades(recorder, ours.rules)
    body += [told, sections.crowded(recorder), _thresholds(ours.rules), _reading(span)]
    title = escape(f"Replay of {', '.join(replayed.files)}")
    css, script = ((Path(__file__).parent / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    page = _PAGE.substitute(title=title, css=css, script=script, body="\n".join(body))
    (folder / "index.html").write_text(page, encoding="utf-8")
    return pictures | drawn_cascades


def coverage(venues: Venues, recorder: Recorder) -> dict[str, str]:
    """Return what each exchange's feed could show in the time replayed; where that changed, both."""
    first, last = (minute * MINUTE_MS for minute in (recorder.minutes.first or 0, recorder.minutes.last))
    found = {}
    for name in recorder.minutes.exchanges():
        was, now = venues.coverage(name, first).value, venues.coverage(name, last).value
        found[name] = was if was == now else f"{was}, later {now}"
    return found


def _head(replayed: Replayed, covered: dict[str, str]) -> str:
    minutes = replayed.played[0].recorder.minutes
    records = table(("records", "read", "counted", "seen before", "refused"), replayed.counts, numbers=4)
    caveats = [f'<p class="caveat">{escape(caveat)}</p>' for caveat in replayed.caveats]
    if minutes.first is None:
        return "\n".join(["<p>No liquidation counts in these records.</p>", *caveats, records])
    sums = minutes.total(None)
    absent = replayed.venues.absent(minutes.last * MINUTE_MS)
    floor = bool(absent) or any(each != Coverage.FULL for each in covered.values())
    rows = []
    for name in minutes.exchanges():
        *sides_of, count = minutes.total(name)
        usd = (money_of(each, covered[name] != Coverage.FULL) for each in sides_of)
        rows.append((exchange_name(name), covered[name], *usd, f"{count:,}"))
    rows += [(exchange_name(name), "ABSENT", "not in these figures", "", "") for name in absent if name not in covered]
    when = f"{moment(minutes.first * MINUTE_MS)} to {moment((minutes.last + 1) * MINUTE_MS)} UTC"
    whole, long, short = (money_of(each, floor) for each in (sums[0] + sums[1], sums[0], sums[1]))
    sides = f"{long} of longs and {short} of shorts, {sums[2]:,} liquidations counted"
    found = [f"<p>{when}: <b>{whole}</b> liquidated, {sides}.</p>", *caveats]
    found.append(table(("exchange", "coverage", "longs", "shorts", "count"), rows, numbers=3))
    found.append(
        '<p class="note">"At least": public feeds do not show everything. SAMPLED ones push at most one order per '
        "symbol and second; ABSENT ones do not exist; UNKNOWN ones nobody vouches for.</p>"
    )
    return "\n".join([*found, records])


def _picture(title: str, drawn: str) -> str:
    return f'<h2>{title}</h2><div class="wide">{drawn}</div>'


def _thresholds(rules: Rules) -> str:
    rows = []
    for scope, rule in rules.items():
        multiples, hours = (", ".join(f"{each} ×" for each in bars) for bars in (rule.multiples, rule.hour_multiples))
        rows.append(
            (
                scope.value, money_of(rule.floor_micro_usd, False), f"{rule.multiple} ×", f"{rule.share_min / 10:g} %",
                f"{rule.hour_min} ×", str(rule.assets_min or ""), multiples, hours, f"{rule.peak_fall / 10:g} %",
                f"{rule.release / 10:g} %", f"{rule.quiet_ms / 60_000:g} min", rule.version(),
            )
        )  # fmt: skip
    head = (
        "scope", "five minutes at least", "and times own normal", "share", "its hour", "assets at least",
        "five minutes of MAJOR, SEVERE, EXTREME", "or their hour", "fall that makes a peak",
        "release", "quiet", "rule version",
    )  # fmt: skip
    return f'<h2>Thresholds of this replay</h2><div class="wide">{table(head, rows)}</div>'


def _reading(span: Span) -> str:
    return f"""<h2>How to read this</h2><ul>
<li>Time is event time, UTC. Records were merged from all files by event time and went through the worker's own
code.</li>
<li>A cascade begins when five minutes of one side reach the threshold and are enough of both sides. Lines are drawn
from whole minutes (above: the highest of each {escape(span.name())}), events are decided by the second: a dot may lie
beside its line.</li>
<li>Own normal is the median hour of the last seven days, per five minutes; it is fixed at the onset.</li>
<li>"Gone" is the part of a cascade's money that had been liquidated when it was announced, of what was liquidated since
five minutes before: what came earlier in its hour is in neither; "waited" is the time between the end of the whole
minute in which its five minutes rose over the release bar and the announcement, of which an hour is looked at.</li>
<li>Amounts in sentences and tables are rounded down where they are floors ("at least"), else to the nearest; those in
the terms are to the dollar.</li></ul>
<p class="note">liquidation-streams {escape(__version__)}</p>"""
