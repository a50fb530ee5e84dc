"""How fresh, how long and how many: the bounds of a cascade's context."""

from __future__ import annotations

from dataclasses import dataclass, fields

from streams.core.errors import InvalidEvent, Reason

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

#: A price or a number of coins at or above this is a mistake of units and says nothing.
NUMBER_MAX = 1e30

#: Instruments of one asset with quotes or with open interest, exchanges with flows: they are one row of the state,
#: written whenever one of them changes.
OF_ASSET_MAX = 2_000


@dataclass(frozen=True, slots=True)
class ContextRule:
    """What a reading must meet to be given at all.

    Parameters
    ----------
    quote_age_ms_max, open_interest_age_ms_max, flow_age_ms_max
        Older input than this is "not available"; exactly this old is given. Milliseconds.
    ahead_ms_max
        Input dated up to this far ahead of the moment asked about counts as "now", age 0. What is further ahead
        (this topic is read faster than `liquidations`) is passed over for the last sample before that moment.
    lag_ms_max
        How much longer than the window samples are kept, for moments that lie behind the newest input.
    window_ms
        Length of "before": volatility, and the median of the spread. Milliseconds, whole minutes.
    returns_count_min, spreads_count_min
        Minute samples that the window must hold for a volatility and for a median spread.
    since_count_min
        Minute samples needed since the onset for what came after.
    history_ms, history_ms_min
        Length of the history that a percentile is taken from, and the least that gives one. Milliseconds.
    instruments_max
        Instruments with quotes, instruments with open interest, and pairs of asset and exchange with flows
        (each for itself) that one partition remembers.

    Examples
    --------
    >>> ContextRule().window_ms // 3_600_000
    24

    Nothing can be zero:

    >>> ContextRule(window_ms=0)
    Traceback (most recent call last):
    ValueError: window_ms must be positive, was 0

    """

    quote_age_ms_max: int = 5 * MINUTE_MS
    open_interest_age_ms_max: int = HOUR_MS
    flow_age_ms_max: int = 48 * HOUR_MS
    ahead_ms_max: int = 5_000
    lag_ms_max: int = 2 * HOUR_MS
    window_ms: int = DAY_MS
    returns_count_min: int = 720
    spreads_count_min: int = 60
    since_count_min: int = 5
    history_ms: int = 90 * DAY_MS
    history_ms_min: int = 7 * DAY_MS
    instruments_max: int = 20_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value <= 0:
                msg = f"{field.name} must be positive, was {value}"
                raise ValueError(msg)

    @property
    def kept_ms(self) -> int:
        """How long minute samples and the latest values are kept behind the newest input, in milliseconds."""
        return self.window_ms + self.lag_ms_max

    def admit(self, what: str, known: int, of_asset: int) -> None:
        """Let a new instrument in beside so many of the partition, and so many of its asset.

        Raises
        ------
        InvalidEvent
            If it is one too many.

        """
        if known >= self.instruments_max:
            detail = f"{what} would be number {known + 1} of this partition; STREAMS_INSTRUMENTS_MAX is {known}"
        elif of_asset >= OF_ASSET_MAX:
            detail = f"{what} would be number {of_asset + 1} of its asset; there may be {OF_ASSET_MAX}"
        else:
            return
        raise InvalidEvent(Reason.TOO_MANY_INSTRUMENTS, detail)
