"""The page in a real Chromium, driven by what Debian's ``chromium`` and ``chromium-driver`` bring."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.reconstruction import reconstruct
from streams.replay import Report, run
from streams.settings import Settings
from tests.broker.kafka import free_ports
from tests.test_replay import jsonl

BURSTS = Path(__file__).parents[2].parent / "shared" / "data" / "binance-liq-bursts-202301" / "liqs.csv.gz"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
# How the page looks to whoever has opened it: visible cascades, drawn pictures, text that nothing covers.
SEEN = """
const tall = (each) => each.getBoundingClientRect().height;
return {
  title: document.title,
  cascades: [...document.querySelectorAll("details.cascade")].filter((each) => tall(each) > 0).length,
  shown: Number(document.querySelector("#shown").textContent),
  pictures: [...document.querySelectorAll("body > .wide > svg")].map((each) => Math.round(tall(each))),
  terms: [...document.querySelectorAll("details[open] table.terms tr")].filter((each) => tall(each) > 0).length,
  wider: document.documentElement.scrollWidth > document.documentElement.clientWidth,
}
"""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver: apt install chromium chromium-driver"
)


def ask(address, path, method="POST", **content):
    body = json.dumps(content).encode() if method == "POST" else None
    request = urllib.request.Request(f"{address}{path}", body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


@contextmanager
def browser(folder):
    """Open a browser; yields (ask, the session's path)."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            wait_for(address)
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            arguments += ["--window-size=1240,1000", "--hide-scrollbars", f"--user-data-dir={folder}"]
            wanted = {"goog:chromeOptions": {"binary": CHROMIUM, "args": arguments}}
            wanted["goog:loggingPrefs"] = {"browser": "ALL"}
            session = f"/session/{ask(address, '/session', capabilities={'alwaysMatch': wanted})['sessionId']}"
            yield lambda path, method="POST", **content: ask(address, session + path, method, **content)
            ask(address, session, "DELETE")
        finally:
            driver.terminate()


def wait_for(address):
    for _ in range(300):
        try:
            if ask(address, "/status", "GET")["ready"]:
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"chromedriver does not answer at {address}")


def reconstruction(folder):
    """The demo's records from a quarter of an hour before the sell-off on: liquidations alone, for speed."""
    records = [
        {"topic": topic, **record}
        for at_ms, topic, record in reconstruct(20260131)
        if topic == "liquidations" and at_ms >= 1_769_868_000_000
    ]
    return jsonl(folder / "sell-off.jsonl", *records), None


def bursts(folder):
    if not BURSTS.exists():
        pytest.skip(f"needs the captures beside the repository: {BURSTS.parent.name}")
    return BURSTS, "binance-bursts-csv"


@pytest.mark.parametrize("records", [reconstruction, bursts], ids=lambda make: make.__name__)
def test_a_report_opens_in_chromium(tmp_path, records):
    path, form = records(tmp_path)
    run(Settings(), [path], file_format=form, out=None, partitions=1, report=Report(tmp_path / "report"))
    lines = map(json.loads, (tmp_path / "report" / "events.jsonl").read_text().splitlines())
    found = [line["record"] for line in lines if line["topic"] == "cascades"]
    ids = {record["cascade_id"] for record in found}
    markets = {record["cascade_id"] for record in found if record["scope"] == "MARKET"}

    with browser(tmp_path / "profile") as page:
        page("/url", url=(tmp_path / "report" / "index.html").as_uri())
        opened = page("/execute/sync", script=SEEN, args=[])
        click = "for (const box of document.querySelectorAll('.filters input'))"
        click += " if (['EXCHANGE', 'ASSET', 'INSTRUMENT'].includes(box.value)) box.click()"
        page("/execute/sync", script=click, args=[])
        page("/execute/sync", script="document.querySelector('details.cascade').open = true", args=[])
        filtered = page("/execute/sync", script=SEEN, args=[])
        complaints = page("/se/log", type="browser")
        picture = base64.b64decode(page("/screenshot", "GET"))

    assert [] == complaints
    assert f"Replay of {path.name}" == opened["title"]
    assert (len(ids), len(ids)) == (opened["cascades"], opened["shown"])
    assert [True, True] == [height > 100 for height in opened["pictures"]]
    assert (len(markets), len(markets)) == (filtered["cascades"], filtered["shown"])
    assert filtered["terms"] > 4  # onset has two, peak and end one each, and a head
    assert not opened["wider"]
    assert picture.startswith(b"\x89PNG")
