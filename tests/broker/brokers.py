"""One broker or three, each with a second listener that advertises the port of a proxy: workers go that way."""

from __future__ import annotations

import time
from pathlib import Path

from streams import cluster
from streams.settings import Settings
from streams.topics import declared
from tests.broker.kafka import Kafka, free_ports
from tests.broker.proxy import Proxy
from tests.broker.worker import listed

#: The workers' side of each broker.
_PROXIED = "PROXIED"
_DELETED_SECONDS_MAX = 20


class Brokers:
    """A cluster whose members can be killed and started again; what a ``Worker`` and its readers need of a broker.

    ``bootstrap`` is for tests, ``proxied`` for workers.
    """

    def __init__(self, folder: Path, count: int = 1) -> None:
        self.members = [Kafka(folder / str(number)) for number in range(1, count + 1)]
        self.replication = count
        ports = [tuple(free_ports(2)) for _ in self.members]
        self.proxy = Proxy({advertised: real for real, advertised in ports})
        voters = [f"{number}@127.0.0.1:{each.controller_port}" for number, each in enumerate(self.members, 1)]
        for number, (each, (real, advertised)) in enumerate(zip(self.members, ports, strict=True), 1):
            each.properties |= _member(each.properties, number, ",".join(voters), real, advertised)
            if count > 1:
                each.properties |= _replicated(count)
        self.bootstrap = ",".join(each.bootstrap for each in self.members)
        self.proxied = ",".join(f"127.0.0.1:{advertised}" for _, advertised in ports)

    def start(self) -> Brokers:
        self.proxy.start()  # first: a port that was free may be taken by the time that brokers are up
        for each in self.members:
            each.launch()
        for each in self.members:
            each.wait_until_ready()
        return self

    def create_topics(self, partitions: int, app_id: str) -> None:
        self.members[0].create_topics(partitions, app_id, self.replication)

    def empty_outputs(self, partitions: int, app_id: str) -> None:
        """Make the log look as if nobody had read it yet, for another app."""
        names = [topic.name for topic in declared(app_id) if topic.role != "input" and app_id not in topic.name]
        with cluster.admin(Settings(broker=self.bootstrap)) as client:
            client.delete_topics(names)
        deadline = time.monotonic() + _DELETED_SECONDS_MAX
        while listed(self, names) and time.monotonic() < deadline:
            time.sleep(0.2)
        self.create_topics(partitions, app_id)

    def kill(self) -> None:
        self.proxy.stop()
        for each in self.members:
            each.kill()


def _member(known: dict[str, str], number: int, voters: str, real: int, advertised: int) -> dict[str, str]:
    return {
        "node.id": str(number),
        "controller.quorum.voters": voters,
        "listeners": f"{known['listeners']},{_PROXIED}://127.0.0.1:{real}",
        "advertised.listeners": f"{known['advertised.listeners']},{_PROXIED}://127.0.0.1:{advertised}",
        "listener.security.protocol.map": f"{known['listener.security.protocol.map']},{_PROXIED}:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        # A dead worker keeps its partitions for so long; Kafka's own least is 6 s.
        "group.min.session.timeout.ms": "1000",
        # How long a transaction that has timed out may go unnoticed.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    }


def _replicated(count: int) -> dict[str, str]:
    factor, in_sync = str(count), str(count - 1)
    return {
        "default.replication.factor": factor,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": factor,
        "transaction.state.log.replication.factor": factor,
        "transaction.state.log.min.isr": in_sync,
        # One that was killed is out after so long, instead of 9 s.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }
