"""The producer in front of the job: transactional, and as bad as producers are.

It commits and aborts, sends whole ranges again, and an hour at once. Disorder and poison are in the logs already.
What it really wrote is read back afterwards: a piece whose fate a broken broker has left open may be there twice.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, Producer

from tests.simulation import generate
from tests.simulation.generate import DAY, HOUR, MINUTE, T0
from tests.simulation.records import LIQUIDATIONS, encoder

FUNDING = "funding"
#: So many records of each partition are there before a worker looks: nobody waits for a partition that is empty then.
_FIRST = 30
_FATE_SECONDS = 15
_HELD_SECONDS = 0.05
#: Records of a piece, in the mean.
_PIECE = 30
#: A logger for producers: librdkafka says on stderr whatever a broken broker does to it.
SILENT = logging.getLogger("upstream")
SILENT.disabled = True


class Sent(NamedTuple):
    """A record and where it goes."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Upstream:
    """Writes the logs of a seed in pieces, in a thread, in about so many seconds or until ``finish``."""

    def __init__(self, broker: Any, seed: int, records_max: int, seconds: float) -> None:
        self.broker = broker
        self.chance = random.Random(f"upstream-{seed}")
        self.did: Counter[str] = Counter()
        logs = generate.logs(seed, records_max=records_max)
        self.partitions = len(logs.liquidations)
        self._early = sum(min(_FIRST, len(log)) for log in logs.liquidations)
        self._left = self._queue(logs, self._funding(logs.liquidations))
        self._ghosts = self._queue(generate.logs(seed + 1_000_000, records_max=records_max), [])
        self._count = self._kept = len(self._left) - self._early  # nothing behind ``first`` before it is asked for
        self._pause = seconds * _PIECE / len(self._left)
        self._sent: list[Sent] = []
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None
        self._producer = self._new()

    # ---------------------------------------------------------------- what is written

    @staticmethod
    def _queue(logs: generate.Logs, funding: list[Sent]) -> list[Sent]:
        """Return all records in the order in which they are sent; each partition's own order stands."""
        found = [
            (record.timestamp, Sent(LIQUIDATIONS, number, record.key, record.value))
            for number, log in enumerate(logs.liquidations)
            for record in log
        ]
        found.sort(key=lambda each: each[0])
        # Spread over the run, each partition's own order kept.
        found += [(T0 + at * (found[-1][0] - T0) // len(funding), each) for at, each in enumerate(funding)]
        found.sort(key=lambda each: each[0])
        queue = [sent for _, sent in found]
        counts: Counter[int] = Counter()
        first, rest = [], []
        for each in queue:
            early = each.topic == LIQUIDATIONS and counts[each.partition] < _FIRST
            counts[each.partition] += early
            (first if early else rest).append(each)
        return first + rest

    def _funding(self, logs: list[list[Any]]) -> list[Sent]:
        """Months of funding of some assets: quiet, then extreme; repeats, disorder, and some that nobody can read."""
        chance, found = self.chance, []
        for partition, log in enumerate(logs):
            assets = sorted({record.key for record in log if record.key and record.key.startswith(b"A")})[:4]
            for number in range(40):
                for asset in assets:
                    at = T0 - 20 * DAY + (number + chance.choice([0, 0, 0, -1])) * 8 * HOUR
                    rate = 0.003 if number > 12 else chance.gauss(0.0001, 0.00005)
                    value = encoder().encode(FUNDING, _funding_record(asset.decode(), rate, at))
                    if chance.random() < 0.05:
                        value = chance.choice([value[:-2], b"", value[:1], b"\0\0\0\x03\xe7" + value[5:]])
                    found.append(Sent(FUNDING, partition, asset, value))
        return found

    @staticmethod
    def _living() -> list[Sent]:
        """A venue that lives for a day and an hour and never liquidates: its feed is silent after a day.

        Told long before the market's clock gets there: what comes behind it does not count.
        """
        times = [T0 + 20 * DAY + minute * MINUTE for minute in range(25 * 60)]
        records = [_funding_record("Z", 0.0001, at, "kraken") for at in times]
        return [Sent(FUNDING, 0, b"Z", encoder().encode(FUNDING, record)) for record in records]

    # ---------------------------------------------------------------- how

    def first(self) -> None:
        """Write what must be there before anybody reads."""
        piece, self._left = self._left[: self._early], self._left[self._early :]
        self._write(self._living() + piece)

    def start(self) -> None:
        self._thread.start()

    def keep(self, share: float) -> None:
        """Leave this share of what is behind ``first`` for later."""
        self._kept = int(share * self._count)

    def finish(self, seconds: float = 120) -> None:
        """Write the rest at once and end."""
        self._hurry.set()
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the producer hangs"
        if self._failure is not None:
            raise self._failure

    @property
    def exhausted(self) -> bool:
        return not self._left

    def _run(self) -> None:
        try:
            while self._left:
                if len(self._left) <= self._kept and not self._hurry.wait(_HELD_SECONDS):
                    continue
                getattr(self, f"_{self.chance.choice(['piece'] * 12 + ['abort', 'repeat', 'hour'])}")()
                if not self._hurry.is_set():
                    self._hurry.wait(self.chance.uniform(0, 2 * self._pause))
        except BaseException as error:  # noqa: BLE001 - said by finish()
            self._failure = error

    def _piece(self) -> None:
        count = self.chance.choice([1, 3, 10, 30] if not self._hurry.is_set() else [300])
        piece, self._left = self._left[:count], self._left[count:]
        self._write(piece)

    def _hour(self) -> None:
        piece, self._left = self._left[:300], self._left[300:]
        self.did["burst"] += 1
        self._write(piece)

    def _repeat(self) -> None:
        if self._sent:
            at = self.chance.randrange(len(self._sent))
            self.did["repeat"] += 1
            self._write(self._sent[at : at + self.chance.choice([20, 100, 300])], again=True)

    def _abort(self) -> None:
        """Write what never was: other liquidations, real ones to whoever reads what is not committed."""
        at = self.chance.randrange(len(self._ghosts))
        ghosts = [each for each in self._ghosts[at : at + 60] if each.partition < self.partitions]
        self.did["abort"] += 1
        self._write(ghosts, commit=False)

    def _write(self, piece: list[Sent], *, commit: bool = True, again: bool = False) -> None:
        while True:
            try:
                self._producer.begin_transaction()
                for each in piece:
                    self._producer.produce(each.topic, each.value, each.key, each.partition)
                if commit:
                    self._producer.commit_transaction(_FATE_SECONDS)
                    if not again:
                        self._sent += piece
                else:
                    self._producer.flush(_FATE_SECONDS)
                    self._producer.abort_transaction(_FATE_SECONDS)
            except KafkaException:
                # Whatever became of it: a new producer shuts this one out, which aborts what is open.
                self.did["begun anew"] += 1
                self._producer = self._new()
            else:
                return

    def _new(self) -> Producer:
        """Return a producer that has shut out its predecessor, whose open transaction is aborted by that."""
        while True:
            producer = Producer(
                {
                    "bootstrap.servers": self.broker.bootstrap,
                    "transactional.id": "upstream",
                    "transaction.timeout.ms": 10_000,
                    "message.timeout.ms": 9_000,
                    "linger.ms": 0,
                    "logger": SILENT,
                }
            )
            try:
                producer.init_transactions(_FATE_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
            else:
                return producer


def _funding_record(asset: str, rate: float, at: int, exchange: str = "binance") -> dict[str, Any]:
    return {
        "exchange": exchange, "symbol": f"{asset}USDT", "asset": asset, "funding_rate": rate,
        "funding_interval_hours": 8.0, "next_funding_time": None, "predicted_rate": None,
        "mark_price": None, "open_interest_usd": None, "event_time": at, "ingest_time": at,
    }  # fmt: skip
