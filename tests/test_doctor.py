"""What the doctor says of a broker, without one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from streams import doctor
from streams.settings import Settings
from streams.topics import Found

NOW_MS = 1_700_000_000_000
QUOTES = {"quotes": Found(1, {"message.timestamp.type": "LogAppendTime"})}


def sentences(findings):
    assert not any(finding.problem for finding in findings)
    return [finding.sentence for finding in findings]


def test_limits_that_this_login_may_not_read_are_not_called_good():
    (sentence,) = sentences(doctor._limits(Settings(), {}))

    assert sentence == (
        "the broker's settings could not be read (DESCRIBE_CONFIGS on the cluster): "
        "it may refuse STREAMS_TRANSACTION_TIMEOUT_MS and STREAMS_SESSION_TIMEOUT_MS"
    )
    assert [] == doctor._limits(Settings(), {"transaction.max.timeout.ms": 900_000})


@pytest.mark.parametrize(
    ("stamped_ms", "said"),
    [
        (5_000, ["the broker's clock is 5.0 s ahead of this machine's: one of the two is wrong"]),
        (-5_000, []),  # or nobody writes
    ],
)
def test_a_clock_that_is_ahead_is_found_and_one_that_is_behind_cannot_be(stamped_ms, said, monkeypatch):
    answers = {TopicPartition("quotes", 0): SimpleNamespace(timestamp=NOW_MS + stamped_ms)}
    client = SimpleNamespace(list_partition_offsets=lambda _: answers)
    monkeypatch.setattr(doctor, "_now_ms", lambda: NOW_MS)

    assert said == sentences(doctor._clock(client, QUOTES))
