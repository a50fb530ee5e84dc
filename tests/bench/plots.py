"""Draws what a bench has found: `python plots.py results.json folder`. Runs where matplotlib is, and needs no more."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt  # after the choice of a back end that needs no screen

OURS, PEER = "#c2410c", "#64748b"
FLOORS = {"confluent-kafka", "aiokafka"}
AXES = {
    "instruments": "instruments",
    "batch": "records in a batch",
    "disorder": "disorder, s",
    "duplicates": "duplicates, %",
    "density, ordinary": "events a second of event time, ordinary",
    "density, storm": "events a second of event time, storm",
}


def engines(results: dict, folder: Path) -> None:
    found = defaultdict(list)
    for run in results["ordinary"]:
        found[run["engine"]].append(run)
    names = list(reversed(found))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True)
    speeds = {name: [run["records"] / run["seconds"] for run in found[name]] for name in names}
    costs = {name: [run["cpu_seconds"] / run["records"] * 1e6 for run in found[name]] for name in names}
    for axis, values, label in ((left, speeds, "events/s"), (right, costs, "CPU of an event, µs")):
        middle = [median(values[name]) for name in names]
        low = [mid - min(values[name]) for mid, name in zip(middle, names, strict=True)]
        high = [max(values[name]) - mid for mid, name in zip(middle, names, strict=True)]
        shades = [OURS if name == "ours" else "#cbd5e1" if name in FLOORS else PEER for name in names]
        axis.barh(names, middle, xerr=(low, high), color=shades)
        axis.set_xscale("log")
        axis.set_xlabel(label)
    figure.suptitle("Catching up on one topic; bars are medians, whiskers all rounds; pale: reading alone")
    save(figure, folder / "engines.png")


def latency(results: dict, folder: Path) -> None:
    figure, axis = plt.subplots(figsize=(7, 4))
    for kind, shade in (("calm", PEER), ("storm", OURS)):
        points = [each for each in results["latencies"] if each["kind"] == kind]
        rates = [each["rate"] for each in points]
        for name, style in (("p50", "-"), ("p99", "--"), ("most", ":")):
            axis.plot(rates, [each[name] for each in points], style, marker="o", color=shade, label=f"{kind}, {name}")
    axis.set(xscale="log", yscale="log", xlabel="events/s", ylabel="record to readable onset, ms")
    axis.legend(ncols=2)
    save(figure, folder / "latency.png")


def growth(results: dict, folder: Path) -> None:
    figure, grid = plt.subplots(3, 3, figsize=(11, 9))
    axes = iter(grid.flat)
    for curve, label in AXES.items():
        axis = next(axes)
        points = [each for each in results["costs"] if each["curve"] == curve]
        xs = [each["x"] for each in points]
        axis.plot(xs, [each["fold_us"] + each["cut_us"] for each in points], marker="o", color=OURS, label="with cuts")
        axis.plot(xs, [each["fold_us"] for each in points], marker="o", color=PEER, label="decode and fold")
        axis.set(xlabel=label, ylabel="µs an event", xscale="symlog")
        if curve == "batch":
            axis.set(yscale="log", xscale="log")
        else:
            axis.set(ylim=(0, None))
    grid.flat[0].legend()
    for curve in ("partitions", "workers"):
        axis = next(axes)
        points = [each for each in results["scaled"] if each["curve"] == curve]
        axis.plot([each["x"] for each in points], [each["cpu_us"] for each in points], marker="o", color=OURS)
        axis.set(xlabel=f"{curve}, through Kafka", ylabel="µs an event", ylim=(0, None))
    axis = next(axes)
    days = results["days"]
    xs = [each["instruments"] for each in days]
    axis.plot(xs, [each["memory_mb"] for each in days], marker="o", color=OURS)
    axis.set(xlabel="instruments with a full day", ylabel="memory, MB", xscale="log", ylim=(0, None))
    other = axis.twinx()
    other.plot(xs, [each["caught_up_seconds"] for each in days], marker="s", linestyle="--", color=PEER)
    other.set(ylabel="start to caught up, s (dashed)", ylim=(0, None))
    save(figure, folder / "growth.png")


def save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    found = json.loads(source.read_text())
    for draw in (engines, latency, growth):
        draw(found, target)
