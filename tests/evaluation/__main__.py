"""``make evaluate``: how often our cascades are right, how early, and how often the public rules are."""

from __future__ import annotations

from pathlib import Path

import click

from streams.core.events import Scope
from tests.evaluation import (
    context_study,
    crowding_study,
    data,
    hourly,
    labels,
    market_study,
    normals,
    report,
    rules,
    sides,
    simulated,
)
from tests.evaluation.ours import events, messages
from tests.evaluation.score import score


def _history() -> None:
    if data.BURSTS.exists():
        orders = data.bursts()
        report.bursts(click.echo, orders, messages(orders))
        report.variants(click.echo, orders)
    else:
        _skip("January 2023", data.BURSTS)
    if data.CAPTURES.exists():
        report.captures(click.echo, data.captures())
    else:
        _skip("the captures", data.CAPTURES)
    if data.HOURLY.exists():
        found = data.hourly()
        hourly.hourly(click.echo, found)
        hourly.what_is_rare(click.echo, found)
        sides.hourly(click.echo, found)
        normals.compare(click.echo, found)
        context_study.study(click.echo, found)
    else:
        _skip("BTC by the hour", data.HOURLY)
    if crowding_study.DAILY.exists() and crowding_study.HISTORY.exists():
        crowding_study.study(click.echo)
    else:
        _skip("crowded funding", crowding_study.DAILY)
    simulated.curves(click.echo)
    sides.exchange(click.echo)
    market_study.study(click.echo)


def _skip(what: str, path: Path) -> None:
    click.echo(f"\nskipped: {what}: there is no {path.name} beside the repository (not ours to ship)")


def _file(path: Path, form: str | None, usd: float) -> None:
    orders = data.read(path, form)
    if not orders.orders:
        click.echo(f"{path.name} has no liquidations")
        return
    episodes = labels.sided(labels.episodes(orders, usd), orders)
    found = events(messages(orders), Scope.MARKET)
    alerts = {name: rule(orders) for name, rule in rules.PUBLIC.items()} | report.detectors(found, "MARKET")
    click.echo(
        f"\n{path.name}: {len(orders.orders):,} liquidations, {len(episodes)} episodes of ${usd:,.0f} in 60 min\n"
    )
    lines = [report.scored(name, score(each, episodes, orders)) for name, each in alerts.items()]
    click.echo(report.table(report.HEADER, lines))


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", default=None, help="form of the files, as for `streams replay`")
@click.option("--episode-usd", default=50_000_000.0, show_default=True, help="60 minutes that are an episode")
def main(files: tuple[Path, ...], form: str | None, episode_usd: float) -> None:
    """Print the tables; with FILES those of your own recordings."""
    for path in files:
        _file(path, form, episode_usd)
    if not files:
        _history()


if __name__ == "__main__":
    main()
