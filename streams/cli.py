"""The command line: what to run. Each command imports what it needs, and nothing that it does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams import __version__

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

    from streams.settings import Settings
    from streams.topics import Finding, Plan

FORMATS = ("csv", "jsonl", "avro", "binance-forceorder-csv", "binance-bursts-csv")

_SECONDS = click.FloatRange(min=0, min_open=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="streams")
def main() -> None:
    """See forced selling in crypto futures as it happens.

    Settings are STREAMS_* environment variables; one that is misspelled is refused by name.
    """


@main.command()
def worker() -> None:
    """Run the job against the brokers of STREAMS_BROKER until it is told to stop."""
    settings = _settings()
    from streams import app, logs

    logs.configure(settings.log_format, settings.log_level)
    app.run(settings)


@main.command()
@click.option("--seed", default=20260131, show_default=True, help="Seed of the reconstruction.")
@click.option("--seconds", default=60.0, show_default=True, type=_SECONDS, help="How long the sell-off is played.")
def demo(seed: int, seconds: float) -> None:
    """Play a reconstruction of the sell-off of 2026-01-31 through a real worker on an embedded broker."""
    from streams import demo as played

    played.run(seed, seconds)


@main.command()
@click.option("--seed", default=20260131, show_default=True, help="Seed of the reconstruction.")
@click.option("--seconds", default=600.0, show_default=True, type=_SECONDS, help="How long the sell-off is played.")
def play(seed: int, seconds: float) -> None:
    """Play the reconstruction to the brokers of STREAMS_BROKER, as if it were happening; once a day at most.

    For a test cluster: it fills the input topics.
    """
    settings = _settings()
    from streams import cluster, logs
    from streams import play as played

    logs.configure(settings.log_format, settings.log_level)
    try:
        played.run(settings, seed, seconds)
    except (cluster.ClusterProblem, played.CannotPlay, ValueError) as problem:
        click.echo(f"streams: {problem}", err=True)
        sys.exit(1)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "file_format", type=click.Choice(FORMATS), help="Form of the files; by their names if unset.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Events as JSON lines; stdout if unset.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1), help="Partitions to spread over.")
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), help="Folder for a page of what was found.")
@click.option("--what-if", "what_ifs", multiple=True, help="Other thresholds beside ours: market.floor=2e7 multiple=5.")
@click.option("--episodes", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Known episodes, YAML.")
def replay(
    files: tuple[Path, ...], file_format: str | None, out: Path | None, partitions: int, report: Path | None,
    what_ifs: tuple[str, ...], episodes: Path | None,
) -> None:  # fmt: skip
    """Run recorded liquidations and funding through the same code as the worker.

    Times may also be ISO 8601 with a zone, or whole numbers as text or with .0; ingest_time may be missing.

    With --report DIR a page is written that shows its work: totals, thresholds, each event with the terms of its rule.
    """
    if report is None and (what_ifs or episodes):
        raise click.UsageError("--what-if and --episodes are parts of a report: name its folder with --report")
    settings = _settings()
    from streams import replay as replayed

    wanted = replayed.Report(report, what_ifs, episodes) if report else None
    replayed.run(settings, files, file_format=file_format, out=out, partitions=partitions, report=wanted)


@main.group(name="topics")
def topics_group() -> None:
    """Compare a cluster's topics with schemas/topics.yaml, and create what is missing."""


_partitions = click.option("--partitions", type=click.IntRange(1), help="Partitions of all but the topics of one.")
_replication = click.option("--replication", type=click.IntRange(1), help="Replicas; the broker's default if unset.")


@topics_group.command(name="plan")
@_partitions
@_replication
def topics_plan(partitions: int | None, replication: int | None) -> None:
    """Say what apply would do, and do nothing."""
    from streams import topics

    with _cluster(_settings()) as (settings, client):
        wanted = topics.declared(settings.app_id, partitions=partitions, replication=replication)
        there = topics.found(client, wanted)
        _report(topics.miscounted(there, partitions), "")
        _say(topics.plan(wanted, there, topics.broker_replication(client, wanted, there)))


@topics_group.command(name="apply")
@_partitions
@_replication
def topics_apply(partitions: int | None, replication: int | None) -> None:
    """Create the missing topics; of those that exist, nothing is made smaller."""
    from streams import topics

    with _cluster(_settings()) as (settings, client):
        wanted = topics.declared(settings.app_id, partitions=partitions, replication=replication)
        _report(topics.miscounted(topics.found(client, wanted), partitions), "")
        _say(topics.apply(client, wanted))


@topics_group.command(name="check")
@_partitions
def topics_check(partitions: int | None) -> None:
    """Say where the cluster differs from what the job needs; exit 1 where that is a problem."""
    from streams import topics

    with _cluster(_settings()) as (settings, client):
        wanted = topics.declared(settings.app_id)
        there = topics.found(client, wanted)
        findings = [*topics.miscounted(there, partitions), *topics.check(wanted, there)]
        _report(findings, "every topic is as it should be")


@main.group(name="schemas")
def schemas_group() -> None:
    """List the Avro schemas, and compare them with a Confluent-compatible registry."""


@schemas_group.command(name="list")
def schemas_list() -> None:
    """List topic, subject, id in the file registry, and schema file."""
    from streams import registry_cli

    for line in registry_cli.listing():
        click.echo(line)


@schemas_group.command(name="check")
def schemas_check() -> None:
    """Say whether the registry of STREAMS_REGISTRY_URL has our schemas or would take them."""
    from streams import registry_cli

    _report(registry_cli.check(_settings()), "the registry has every schema")


@schemas_group.command(name="register")
def schemas_register() -> None:
    """Register every schema; one that is there already stays as it is."""
    from streams import registry_cli

    _report(registry_cli.register(_settings()), "")


@main.command()
def watch() -> None:
    """Show windows and events of a running worker, live."""
    settings = _settings()
    from streams import watch as watched

    watched.run(settings)


@main.command()
def doctor() -> None:
    """Say in sentences what is wrong with brokers, topics, partitions, registry and clocks."""
    settings = _settings()
    from streams import doctor as examined

    click.echo(f"asking {settings.broker}", err=True)
    _report(examined.examine(settings), "nothing is wrong")


def _settings() -> Settings:
    from streams.settings import Settings

    try:
        return Settings()
    except ValueError as error:
        click.echo(f"streams: {error}", err=True)
        sys.exit(2)


@contextmanager
def _cluster(settings: Settings) -> Iterator[tuple[Settings, KafkaAdminClient]]:
    from streams import cluster

    click.echo(f"asking {settings.broker}", err=True)
    try:
        with cluster.admin(settings) as client:
            yield settings, client
    except cluster.ClusterProblem as problem:
        click.echo(f"streams: {problem}", err=True)
        sys.exit(1)


def _say(plan: Plan) -> None:
    for line in plan.sentences() or ["nothing to do"]:
        click.echo(line)
    _report(plan.left, "")


def _report(findings: list[Finding], otherwise: str) -> None:
    for finding in findings:
        click.echo(f"{'problem' if finding.problem else 'note'}: {finding.sentence}")
    if not findings and otherwise:
        click.echo(otherwise)
    if any(finding.problem for finding in findings):
        sys.exit(1)
