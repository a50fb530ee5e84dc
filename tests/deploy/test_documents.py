"""What the documents tell an operator to do is what the chart does."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "liquidation-streams"


def test_an_upgrade_by_hand_stops_all_workers_as_the_chart_does():
    rows = (ROOT / "deploy" / "README.md").read_text().splitlines()
    (answer,) = [row for row in rows if row.startswith("| How do I upgrade?")]
    strategy = "type: Recreate" in (CHART / "templates" / "deployment.yaml").read_text()

    assert ("stop all workers, start the new ones" in answer) == strategy
    assert "stop one worker" not in answer


def test_an_image_that_nobody_publishes_has_to_be_built_before_it_is_installed():
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if "it installs two workers" in line]
    bare = "repository: liquidation-streams\n" in (CHART / "values.yaml").read_text()

    assert ("No image is published: build `deploy/docker/Dockerfile` and push it first." in line) == bare
