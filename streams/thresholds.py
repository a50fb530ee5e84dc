"""Thresholds as settings: those of cascades once per scope, those of crowded positions and of context once.

A model here is a group of variables: ``STREAMS_CASCADE_MARKET_FLOOR_USD`` is ``cascade_market.floor_usd``.
The defaults are those of the rules in ``core``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import NoDecode

from streams.core.cascade import CascadeRule
from streams.core.context_rule import ContextRule
from streams.core.crowding_rule import CrowdingRule
from streams.core.events import NOTIONAL_USD_MAX, micro_usd
from streams.core.windows import DAY_MS, FIVE_MINUTES, LENGTHS, SECOND_MS

_CASCADE = CascadeRule(floor_micro_usd=1)
_CROWDING = CrowdingRule()
_CONTEXT = ContextRule()
_GRADES = "of ELEVATED, CROWDED and EXTREME"


def _three(value: Any) -> Any:
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
    if len(parts) != 3:
        msg = f"must be three numbers with commas, was {value}"
        raise ValueError(msg)
    return parts


def _rising(values: tuple[int, int, int]) -> tuple[int, int, int]:
    if list(values) != sorted(values):
        msg = f"must not fall from severity to severity, was {','.join(map(str, values))}"
        raise ValueError(msg)
    return values


def _in_thousandths(share: float) -> float:
    # The rules compare integers; a finer share would be another one than the operator wrote.
    if abs(share * 1000 - round(share * 1000)) > 1e-6:
        msg = f"must have at most three decimals, was {share}"
        raise ValueError(msg)
    return share


#: Thresholds in 64 bits of micro-USD stay numbers with it.
FACTOR_MAX = 1_000_000
Factor = Annotated[int, Field(ge=1, le=FACTOR_MAX)]
Bars = Annotated[tuple[Factor, ...], NoDecode, BeforeValidator(_three), AfterValidator(_rising)]
Floats = Annotated[tuple[float, float, float], NoDecode, BeforeValidator(_three)]
Ints = Annotated[tuple[int, int, int], NoDecode, BeforeValidator(_three)]
Share = Annotated[float, Field(gt=0, le=1), AfterValidator(_in_thousandths)]
Positive = Annotated[int, Field(ge=1, le=366 * DAY_MS)]
#: In less than the window that decides, the dollars of one cascade would be announced once more as another's.
Quiet = Annotated[int, Field(ge=LENGTHS[FIVE_MINUTES] * SECOND_MS, le=366 * DAY_MS)]
Floor = Annotated[
    float,
    Field(gt=0, le=NOTIONAL_USD_MAX, description="Five minutes of one side below this are never a cascade (USD)."),
]


class Group(BaseModel):
    """Settings with a common prefix."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class CascadeThresholds(Group):
    """When a run of liquidations of one scope is a cascade."""

    floor_usd: Floor = 1_000_000
    multiple: Annotated[int, Field(ge=0, le=FACTOR_MAX)] = Field(
        _CASCADE.multiple, description="Times its own normal five minutes; 0: the floor alone."
    )
    hour_min: Factor = Field(_CASCADE.hour_min, description="Its hour at onset, in thresholds.")
    share_min: Share = Field(_CASCADE.share_min / 1000, description="Least share of the side in its five minutes.")
    multiples: Bars = Field(_CASCADE.multiples, description="Five minutes of MAJOR, SEVERE, EXTREME, in thresholds.")
    hour_multiples: Bars = Field(
        _CASCADE.hour_multiples, description="Its hour of MAJOR, SEVERE, EXTREME, in thresholds."
    )
    peak_fall: Share = Field(_CASCADE.peak_fall / 1000, description="Fall from its highest that makes that a peak.")
    release: Share = Field(_CASCADE.release / 1000, description="Share of the threshold under which it is quiet.")
    quiet_ms: Quiet = Field(_CASCADE.quiet_ms, description="How long it must be quiet to have subsided; 5 min or more.")

    def rule(self) -> CascadeRule:
        """Return them as the core takes them: micro-USD and thousandths."""
        five, hour = ((bars[0], bars[1], bars[2]) for bars in (self.multiples, self.hour_multiples))
        share_min, peak_fall, release = (
            round(share * 1000) for share in (self.share_min, self.peak_fall, self.release)
        )
        floor = micro_usd(self.floor_usd)
        return CascadeRule(
            floor, self.multiple, self.hour_min, share_min, five, hour, peak_fall, release, self.quiet_ms
        )


class AssetThresholds(CascadeThresholds):
    """The same for all instruments of an asset."""

    floor_usd: Floor = 1_750_000


class ExchangeThresholds(CascadeThresholds):
    """The same for an exchange."""

    floor_usd: Floor = 2_000_000


class MarketThresholds(CascadeThresholds):
    """The same for all exchanges together."""

    floor_usd: Floor = 10_000_000
    assets_min: int = Field(
        3, ge=0, description="Least assets with a tenth of the threshold in their hour at onset; 0: any."
    )

    def rule(self) -> CascadeRule:
        """Return them as the core takes them."""
        return replace(super().rule(), assets_min=self.assets_min)


class CrowdingThresholds(Group):
    """When funding says that a side is crowded; rates are yearly fractions."""

    base_rate_annualised: float = Field(_CROWDING.base_rate_annualised, description="What nobody is crowded at.")
    bands_annualised: Floats = Field(_CROWDING.bands_annualised, description=f"Rates {_GRADES} without enough history.")
    floors_annualised: Floats = Field(_CROWDING.floors_annualised, description=f"Least rates {_GRADES} with history.")
    percentiles: Floats = Field(_CROWDING.percentiles, description=f"Percentiles {_GRADES} in its history.")
    streak_hours: Ints = Field(
        _CROWDING.streak_hours,
        description=f"Hours in a row in which a grade would be kept, before the start {_GRADES}.",
    )
    keep_share: float = Field(_CROWDING.keep_share, description="Share of an excess at which its grade is kept.")
    keep_points: float = Field(
        _CROWDING.keep_points, description="Points below its percentile at which a grade is kept."
    )
    history_days_min: int = Field(
        _CROWDING.history_days_min,
        ge=1,
        le=_CROWDING.history_days_max,
        description="Fewer days of history: bands apply.",
    )

    @model_validator(mode="after")
    def _make_sense(self) -> CrowdingThresholds:
        try:
            self.rule()
        except ValueError as error:
            names = "|".join(type(self).model_fields)
            msg = re.sub(rf"\b({names})\b", lambda name: f"STREAMS_CROWDING_{name[0].upper()}", str(error))
            raise ValueError(msg) from None
        return self

    def rule(self) -> CrowdingRule:
        """Return them as the core takes them."""
        return CrowdingRule(**self.model_dump())


class ContextThresholds(Group):
    """How fresh and how long the context of a cascade must be to be given."""

    quote_age_ms_max: Positive = Field(_CONTEXT.quote_age_ms_max, description="Oldest quote given.")
    open_interest_age_ms_max: Positive = Field(
        _CONTEXT.open_interest_age_ms_max, description="Oldest open interest given."
    )
    flow_age_ms_max: Positive = Field(_CONTEXT.flow_age_ms_max, description="Oldest flow given.")
    returns_count_min: int = Field(
        _CONTEXT.returns_count_min,
        ge=1,
        le=_CONTEXT.window_ms // 60_000,
        description="Minutes that a volatility needs.",
    )
    history_ms_min: int = Field(
        _CONTEXT.history_ms_min, ge=1, le=_CONTEXT.history_ms, description="Least history that gives a percentile."
    )

    def rule(self, instruments_max: int) -> ContextRule:
        """Return them as the core takes them."""
        return ContextRule(**self.model_dump(), instruments_max=instruments_max)
