"""The parts of the page that tell of events: each with the terms that made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Final

from streams.core.cascade import SEVERITIES, CascadeRule
from streams.core.events import Scope
from streams.core.phrases import exchange_name, percent, percent_a_year
from streams.report import charts
from streams.report.charts import market
from streams.report.costs import Cost, cost
from streams.report.known import Found, Known, compare
from streams.report.markup import minutes, money_in, table
from streams.report.recorder import Recorder, Story
from streams.report.svg import moment
from streams.report.terms import terms

#: More cascades than this have their terms but no picture; the market's have one in any case.
DRAWN_MAX: Final = 60
CROWDED_MAX: Final = 200
_SCOPES: Final = (Scope.MARKET, Scope.EXCHANGE, Scope.ASSET, Scope.INSTRUMENT)


def cascades(recorder: Recorder, rules: dict[Scope, CascadeRule]) -> tuple[str, dict[str, str]]:
    """Return every cascade with its terms and its cost, and the pictures of the market's by name."""
    stories = sorted(
        recorder.cascades.values(),
        key=lambda s: (_SCOPES.index(s.first["scope"]), s.first["started"], s.first["cascade_id"]),
    )
    kept = [story for story in stories if story.first["scope"] != Scope.INSTRUMENT]
    largest = sorted(kept, key=lambda s: (s.first["scope"] != Scope.MARKET, -s.last["notional_usd"]))
    drawn_ids = {story.first["cascade_id"] for story in largest[:DRAWN_MAX]}
    found, pictures = [], {}
    for story in stories:
        rule, name = rules[story.first["scope"]], story.first["cascade_id"]
        shown = name in drawn_ids or story.first["scope"] == Scope.MARKET
        drawn = charts.cascade(story, recorder, rule) if shown else None
        if drawn and story.first["scope"] == Scope.MARKET:
            pictures[f"cascade-{moment(story.first['started'], '%Y%m%dT%H%M%S')}-{story.first['position_side']}"] = (
                drawn
            )
        found.append(_cascade(story, rule, cost(story, rule, recorder), drawn or ""))
    ticked = "".join(_box(name) for name in (*(scope.value for scope in _SCOPES), *SEVERITIES))
    shown = f'<p><span id="shown">{len(found)}</span> of {len(found)} shown.'
    note = f" Pictures: the market's, and the largest others (at most {DRAWN_MAX}; none of single instruments).</p>"
    return f'<h2>Cascades</h2><p class="filters" hidden>{ticked}</p>{shown}{note}' + "\n".join(found), pictures


def _box(name: str) -> str:
    return f'<label><input type="checkbox" value="{name}" checked> {name}</label>'


def _cascade(story: Story, rule: CascadeRule, cost: Cost, drawn: str) -> str:
    first, last = story.first, story.last
    floor = last["at_least"]
    side = f"{percent(last['side_share'])} {last['position_side'].lower()}s"
    line = (
        f"{last['scope']} <b>{escape(last['key'])}</b> {last['position_side']} {last['severity']}: "
        f"{moment(first['started'])}, {money_in(last['notional_usd'], floor)}, {side}"
    )
    gone = f"{money_in(cost.gone_usd, floor)} ({percent(cost.gone)}) was gone at the announcement"
    least = "at least " if cost.waited_longer else ""
    waited = "" if cost.waited_ms is None else f"; waited {least}{minutes(cost.waited_ms)}"
    ended = f"lasted {minutes(cost.lasted_ms)}" if last["phase"] == "SUBSIDED" else "not over where the records end"
    hour = money_in(last["highest_hour"]["long_usd"] + last["highest_hour"]["short_usd"], floor)
    facts = (
        f"<p>{escape(last['headline'])}</p><p>Time and money: {ended}{waited}. Of {money_in(cost.total_usd, floor)}, "
        f"{gone}. Highest five minutes {money_in(last['peak_usd'], floor)}, highest hour {hour}, "
        f"largest single {money_in(last['largest_usd'], False)}, {last['count']:,} liquidations. "
        f"Id {last['cascade_id']}.</p>"
    )
    rows = [
        (exchange_name(each["exchange"]), each["coverage"], money_in(each["long_usd"], each["coverage"] != "FULL"),
         money_in(each["short_usd"], each["coverage"] != "FULL"), f"{each['count']:,}")
        for each in last["exchanges"]
    ]  # fmt: skip
    told = table(("exchange", "coverage", "longs", "shorts", "count"), rows, numbers=3)
    attributes = f'class="cascade" data-scope="{last["scope"]}" data-severity="{last["severity"]}"'
    summary = f'<summary><span class="dot {last["severity"]}"></span>{line}</summary>'
    return f'<details {attributes}>{summary}{facts}<div class="wide">{drawn}</div>{_terms(story, rule)}{told}</details>'


def _terms(story: Story, rule: CascadeRule) -> str:
    rows = []
    for message in story.messages:
        for at, term in enumerate(terms(rule, message)):
            when = (
                f"{moment(message['event_time'])}</td><td>{message['phase']} {message['severity']}"
                if not at
                else "</td><td>"
            )
            met = "" if term.met else ' class="unmet"'
            cells = "".join(f"<td>{escape(each)}</td>" for each in (term.what, term.value, term.bar, term.how))
            rows.append(f"<tr{met}><td>{when}</td>{cells}<td>{'met' if term.met else 'not met'}</td></tr>")
    head = "".join(
        f"<th>{name}</th>" for name in ("when", "what was said", "term", "value", "bar", "where the bar is from", "")
    )
    return f'<div class="wide"><table class="terms"><tr>{head}</tr>{"".join(rows)}</table></div>'


def known(episodes: Sequence[Known], recorder: Recorder) -> str:
    """Return what was announced of known episodes, and what beside them."""
    found, beside = compare(episodes, recorder)
    here = [each for each in found if each.recorded]
    rows = [_known(each) for each in here]
    head = (
        "episode", "reported hour", "in these records", "reported day", "in these records", "announced",
        "after its start", "severity", "gone",
    )  # fmt: skip
    missed = sum(not each.stories for each in here)
    note = (
        f"{len(here)} of {len(found)} known episodes lie in these records; {missed} of them were not announced for the "
        f"whole market. {len(beside)} of {len(market(recorder))} cascades of the market lie in none. "
        "Reported figures are of all venues of a tracker, ours of the exchanges in the records. "
        "An episode without times is the whole of its day, UTC."
    )
    told = f'<div class="wide">{table(head, rows)}</div>' if rows else ""
    return f"<h2>Known episodes</h2><p>{note}</p>{told}"


def _known(found: Found) -> Sequence[str]:
    known, announced = found.known, "not announced"
    after = severity = gone = ""
    if found.stories:
        first = found.stories[0]
        announced = ", ".join(f"{moment(s.first['started'])} {s.first['position_side']}" for s in found.stories)
        after = minutes(max(0, first.first["started"] - known.start_ms)) if known.timed else ""
        severity = max((s.last["severity"] for s in found.stories), key=SEVERITIES.index)
        total = sum(s.last["notional_usd"] for s in found.stories)
        gone = percent(first.first["notional_usd"] / total)
    name = f"{known.name} ({moment(known.start_ms, '%Y-%m-%d')}){'' if known.confirmed else ', not confirmed'}"
    return (
        name, *_beside(known.hour_usd, found.hour_usd), *_beside(known.day_usd, found.day_usd), announced, after,
        severity, gone,
    )  # fmt: skip


def _beside(theirs: float | None, ours: float) -> tuple[str, str]:
    share = f" ({percent(ours / theirs)})" if theirs else ""
    return "not known" if theirs is None else money_in(theirs, False), money_in(ours, True) + share


def what_ifs(played: Sequence[tuple[str, Recorder]], picture: str) -> str:
    """Return what several thresholds would have announced, side by side."""
    counted = [(label, Counter(_kind(story) for story in recorder.cascades.values())) for label, recorder in played]
    kinds = [(scope.value, severity) for scope in _SCOPES for severity in SEVERITIES]
    kinds = [kind for kind in kinds if any(counts[kind] for _, counts in counted)]
    labels = [label for label, _ in played]
    counts = [(" ".join(kind), *(str(each[kind]) for _, each in counted)) for kind in kinds]
    rows = [(moment(at), *(_said(story) for story in stories)) for at, stories in aligned(played)]
    return (
        f'<h2>What if</h2><div class="wide">{picture}</div>'
        f"{table(('cascades', *labels), counts, numbers=len(labels))}"
        f'<div class="wide">{table(("market, from", *labels), rows)}</div>'
    )


def _kind(story: Story) -> tuple[str, str]:
    return story.last["scope"], story.last["severity"]


def aligned(played: Sequence[tuple[str, Recorder]]) -> list[tuple[int, list[list[Story]]]]:
    """Return stretches of time in which any thresholds saw the market in a cascade, with what each of them saw."""
    stretches: list[tuple[int, int, list[list[Story]]]] = []
    everything = [(story, at) for at, (_, recorder) in enumerate(played) for story in market(recorder)]
    for story, at in sorted(everything, key=lambda each: (each[0].first["started"], each[1])):
        start, end = story.first["started"], story.last["event_time"]
        if stretches and start <= stretches[-1][1]:
            last_start, last_end, lanes = stretches[-1]
            stretches[-1] = (last_start, max(last_end, end), lanes)
        else:
            stretches.append((start, end, [[] for _ in played]))
        stretches[-1][2][at].append(story)
    return [(start, lanes) for start, _, lanes in stretches]


def _said(stories: Sequence[Story]) -> str:
    return (
        "; ".join(
            f"{moment(s.first['started'], '%H:%M:%S')} {s.last['position_side']} {s.last['severity']}, "
            f"{money_in(s.last['notional_usd'], s.last['at_least'])}, "
            f"{percent(s.first['notional_usd'] / s.last['notional_usd'])} gone"
            for s in stories
        )
        or "nothing"
    )


def crowded(recorder: Recorder) -> str:
    """Return the crowded positions; nothing where there were none."""
    stories = sorted(recorder.crowded.values(), key=lambda story: (story.first["started"], story.first["crowded_id"]))
    if not stories:
        return ""
    rows = [_crowded(story) for story in stories[:CROWDED_MAX]]
    head = ("crowded", "side", "from", "to", "highest grade", "funding at the start", "percentile", "history", "streak")
    left = len(stories) - len(rows)
    note = f"<p>{left:,} more are in the events.</p>" if left else ""
    return f'<h2>Crowded positions</h2><div class="wide">{table(head, rows)}</div>{note}'


def _crowded(story: Story) -> Sequence[str]:
    first, last = story.first, story.last
    grades = ("ELEVATED", "CROWDED", "EXTREME")
    return (
        f"{first['scope']} {first['key']}",
        first["position_side"],
        moment(first["started"]),
        moment(last["ended"]) if last["ended"] else "open",
        max((message["grade"] for message in story.messages), key=grades.index),
        percent_a_year(first["funding_rate_annualised"]),
        "too short a history: bands" if first["percentile"] is None else f"{first['percentile']:.1f}",
        f"{first['history_days']:g} days",
        f"{first['streak_hours']:g} h",
    )
