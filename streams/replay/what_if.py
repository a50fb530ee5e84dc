"""Other thresholds for the same records: ``market.floor=2e7 share_min=0.7``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from streams.settings import Settings
from streams.thresholds import CascadeThresholds, MarketThresholds

_SCOPES: Final = ("instrument", "asset", "exchange", "market")
_NAMES: Final = {"floor": "floor_usd", **{name: name for name in MarketThresholds.model_fields}}


def changed(settings: Settings, what_if: str) -> Settings:
    """Return settings with other thresholds of cascades.

    Parameters
    ----------
    settings
        What is changed.
    what_if
        ``[scope.]name=value``, several with spaces; without a scope it is for all four. Names are those of the
        settings (``STREAMS_CASCADE_MARKET_FLOOR_USD`` is ``market.floor_usd``), and ``floor`` for short.

    Raises
    ------
    ValueError
        In one sentence.

    """
    groups: dict[str, dict[str, Any]] = {}
    for part in what_if.split():
        target, equals, value = part.partition("=")
        scope, _, name = target.rpartition(".")
        if not equals or name not in _NAMES or scope not in ("", *_SCOPES):
            msg = f"--what-if must be [scope.]name=value with a name of {', '.join(_NAMES)}, was {part!r}"
            raise ValueError(msg)
        for each in [scope] if scope else _scopes_of(settings, _NAMES[name]):
            groups.setdefault(each, {})[_NAMES[name]] = value
    if not groups:
        raise ValueError("--what-if must say what is different, was empty")
    return settings.model_copy(update={f"cascade_{scope}": _group(settings, scope, of) for scope, of in groups.items()})


def _scopes_of(settings: Settings, name: str) -> list[str]:
    """Return the scopes that have such a threshold: a market's assets are nobody else's."""
    return [scope for scope in _SCOPES if name in type(getattr(settings, f"cascade_{scope}")).model_fields]


def _group(settings: Settings, scope: str, values: dict[str, Any]) -> CascadeThresholds:
    group: CascadeThresholds = getattr(settings, f"cascade_{scope}")
    try:
        return type(group).model_validate({**group.model_dump(), **values})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"--what-if {scope}.{first['loc'][0]}: {first['msg']}"
        raise ValueError(msg) from None
