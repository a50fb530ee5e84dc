"""The pictures of the README, from a report's page: ``python -m tests.report.picture FOLDER`` (see test_chromium)."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from tests.report.test_chromium import browser

PICTURES = Path(__file__).parents[2] / "deploy" / "pictures"
# One cascade of the market with its terms stands alone; what is above it is the other picture.
ALONE = """
const one = document.querySelector("details.cascade");
one.open = true;
document.body.replaceChildren(one);
"""


def take(page, name, height):
    page("/window/rect", width=1240, height=height)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / name).write_bytes(base64.b64decode(page("/screenshot", "GET")))


def main(folder):
    with tempfile.TemporaryDirectory() as profile, browser(profile) as page:
        page("/url", url=(Path(folder).resolve() / "index.html").as_uri())
        take(page, "replay.png", 1_430)
        page("/execute/sync", script=ALONE, args=[])
        take(page, "cascade.png", 1_175)


if __name__ == "__main__":
    main(sys.argv[1])
