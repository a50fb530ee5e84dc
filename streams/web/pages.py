"""The pages of a worker: metrics, health, and what its units would say now. All are GET and change nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.core.events import Scope
from streams.units import current
from streams.units.shard import Shard
from streams.units.unit import Unit
from streams.web.health import Health

#: Rows of one answer: as many as are asked for, up to so many.
LIMIT, LIMIT_MAX = 100, 500
_INDEX = {
    "/metrics": "for Prometheus",
    "/healthz": "200 while the worker lives",
    "/readyz": "200 while it works",
    "/api/windows": "totals in the sliding windows; scope, key, exchange, asset, limit",
    "/api/cascades": "cascades that have not subsided; scope, key, exchange, asset, limit",
    "/api/crowded": "crowded positions that are running; scope, key, exchange, asset, limit",
}
_SCOPES = [scope.value for scope in Scope]
Record = dict[str, Any]


class BadQuery(ValueError):
    """A query that cannot be meant, in one sentence."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a request asks for."""

    wanted: current.Wanted
    limit: int

    @classmethod
    def of(cls, request: web.Request) -> Query:
        """Read a request's query."""
        given = dict(request.query)
        known = [*current.Wanted._fields, "limit"]
        for name in given:
            if name not in known:
                msg = f"{name[:50]} is not one of {', '.join(known)}"
                raise BadQuery(msg)
        scope, limit = given.get("scope"), given.pop("limit", str(LIMIT))
        if scope is not None and scope not in _SCOPES:
            msg = f"scope must be one of {', '.join(_SCOPES)}, was {scope[:50]}"
            raise BadQuery(msg)
        if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= LIMIT_MAX):
            msg = f"limit must be 1 to {LIMIT_MAX}, was {limit[:50]}"
            raise BadQuery(msg)
        return cls(current.Wanted(**given), int(limit))

    def allows(self, record: Record) -> bool:
        """Return whether a record is one of those that are wanted."""
        asked = self.wanted._asdict().items()
        return all(wish is None or record[name] == wish for name, wish in asked)


class Pages:
    """Answers for one worker."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self.health = health
        self.registry = registry

    async def beat(self, _: web.Application) -> AsyncIterator[None]:
        """Let the pulse beat while the pages are served, which is before the first assignment."""
        task = asyncio.ensure_future(self.health.pulse.run())
        yield
        task.cancel()

    def routes(self) -> list[web.RouteDef]:
        """Return all pages as aiohttp's routes."""
        pages: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "/metrics": self.metrics,
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/api": self.index,
            "/api/": self.index,
            "/api/windows": self.windows,
            "/api/cascades": self.cascades,
            "/api/crowded": self.crowded,
        }
        return [web.get(path, page) for path, page in pages.items()]

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer in the form that the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.registry), headers={"Content-Type": content_type})

    async def healthz(self, _: web.Request) -> web.Response:
        """Say whether the worker should be restarted."""
        return _state("ill", self.health.ills())

    async def readyz(self, _: web.Request) -> web.Response:
        """Say whether the worker works."""
        return _state("not ready", self.health.lacks())

    async def index(self, _: web.Request) -> web.Response:
        """Say what there is."""
        return _json(_INDEX)

    async def windows(self, request: web.Request) -> web.Response:
        """Answer with rows of ``liquidation-windows``."""
        stale = current.stale_of(self._units())

        def found(query: Query) -> Iterable[Record]:
            return (row for unit in self._units() for row in current.windows(unit, query.wanted, stale))

        return self._answer(request, "windows", found)

    async def cascades(self, request: web.Request) -> web.Response:
        """Answer with open cascades."""
        stale = current.stale_of(self._units())
        return self._answer(request, "cascades", self._chosen(lambda unit: current.cascades(unit, stale)))

    async def crowded(self, request: web.Request) -> web.Response:
        """Answer with running crowded positions."""
        return self._answer(request, "crowded", self._chosen(current.crowded))

    def _chosen(self, of: Callable[[Unit], Iterable[Record]]) -> Callable[[Query], Iterable[Record]]:
        return lambda query: (record for unit in self._units() for record in of(unit) if query.allows(record))

    def _units(self) -> list[Unit]:
        # The market first: it is what most people ask for.
        units = [owned.unit for owned in self.health.owners.owned.values()]
        return sorted(units, key=lambda unit: (isinstance(unit, Shard), unit.partition))

    def _answer(self, request: web.Request, name: str, found: Callable[[Query], Iterable[Record]]) -> web.Response:
        if not self.health.owners.ready:
            return _json({"error": "partitions are being assigned or recovered"}, 503)
        try:
            query = Query.of(request)
        except BadQuery as error:
            return _json({"error": str(error)}, 400)
        rows = list(islice(found(query), query.limit + 1))
        shards = [unit for unit in self._units() if isinstance(unit, Shard)]
        return _json(
            {
                # Other workers have the other partitions; EXCHANGE and MARKET are on one of them.
                "partitions": [unit.partition for unit in shards],
                "partitions_of_topic": shards[0].partitions if shards else None,
                "market": len(shards) < len(self._units()),
                "truncated": len(rows) > query.limit,
                name: rows[: query.limit],
            }
        )


def _state(name: str, problems: list[str]) -> web.Response:
    return _json({"status": name, "problems": problems}, 503) if problems else _json({"status": "ok"})


def _json(content: Any, status: int = 200) -> web.Response:
    text = json.dumps(content, separators=(",", ":"))
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)
