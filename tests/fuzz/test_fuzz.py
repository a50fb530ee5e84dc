"""The short fuzz: what the long one found, seeds broken at random, and what is too large for it."""

from __future__ import annotations

import json
import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.codec import wire
from streams.codec.registry import FileRegistry
from streams.core.errors import Reason
from tests.codec.builders import T, avro, liquidation
from tests.fuzz import corpus, seeds, targets
from tests.fuzz.inputs import KINDS, batch, framed, registry
from tests.fuzz.session import Session, units

#: For a whole batch of hostile records; a busy machine gets its time as the process's own (seconds, bytes).
#: Under tracemalloc, which makes several times of it: it says that there is an end.
BATCH_SECONDS_MAX = 30.0
BATCH_BYTES_MAX = 256 * 2**20
GIGABYTE = b"\x80\x80\x80\x80\x08"


@pytest.mark.parametrize("target", corpus.NAMES)
def test_nothing_that_was_ever_found_is_a_surprise_again(target):
    for data in [*seeds.SEEDS[target](), *corpus.kept(target)]:
        corpus.TARGETS[target](data)


@st.composite
def broken(draw, target):
    data = bytearray(draw(st.sampled_from(seeds.SEEDS[target]())))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.one_of(st.sampled_from(seeds.WORDS), st.binary(max_size=4)))
        data[at : at + draw(st.integers(0, 12))] = piece
    return bytes(data)


@pytest.mark.parametrize("target", corpus.NAMES)
def test_broken_inputs_break_nothing_else(target):
    # derandomized: the same inputs in each run, so that a red test is red for everybody.
    @settings(derandomize=True, database=None, deadline=None, max_examples=150)
    @given(broken(target))
    def run(data):
        corpus.TARGETS[target](data)

    run()


def hostile():
    """Values that claim much, hold much, or go deep."""
    good = avro(liquidation())
    body = good[wire.SIZE :]
    return [
        good[:5] + GIGABYTE, good[:5] + GIGABYTE + body, wire.header(62) + GIGABYTE * 4,
        wire.header(62) + b"\x01" + b"\xff" * 9 + b"\x7f", wire.header(62) + b"\x02\x02" * 100_000,
        wire.header(62) + b"\x00\x00" + b"\x02" * 900_000, good[:5] + b"\xff" * 1_000_000,
        avro(liquidation(symbol="x" * 900_000)), avro(liquidation(liquidation_id="y" * 900_000)),
        avro(liquidation(exchange="\x00" * 50)), avro(liquidation(symbol="a\x1fb")), avro(liquidation(symbol="a|b")),
        avro(liquidation(event_time=2**63 - 1)), avro(liquidation(event_time=-(2**63))),
        b"\x00\x80\x00\x00\x00", b"", None,
    ]  # fmt: skip


def measured(run):
    tracemalloc.start()
    began = time.process_time()
    try:
        return run(), time.process_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("value", hostile(), ids=lambda value: repr(value and value[:12]))
def test_a_batch_of_one_hostile_record_is_bounded_and_its_neighbours_are_unharmed(value):
    values = [avro(liquidation(liquidation_id=f"{number}")) for number in range(40)]
    given_ = batch("liquidations", [*values[:20], value, *values[20:]], [b"BTC"] * 41, [T + 100] * 41)
    session = Session()

    _, seconds, peak = measured(lambda: session.shard.handle(given_))
    flush = session.shard.cut()

    letters = [message for message in flush.messages if message.topic == "dead-letters"]
    long_id = value is not None and value[-1:] == b"y"  # nothing is wrong with a long one
    assert (41 - len(letters), 40 + long_id) == (session.shard.tally.aggregated["liquidations"],) * 2
    assert seconds < BATCH_SECONDS_MAX
    assert peak < BATCH_BYTES_MAX


NESTED = b'{"exchange": ' + b"[" * 100_000
TEXTS = [
    NESTED, b'{"exchange": ' + b"[" * 400 + b"]" * 400 + b"}", b'{"price": ' + b"9" * 900_000 + b"}", b"[" * 900_000,
    json.dumps(liquidation(price_kind="x" * 900_000)).encode(),
    json.dumps(liquidation() | {"price": {"a": "b" * 9**6}}).encode(),
    b'{"price_kind": "\xff"}', b'"' + b"\\u0001" * 150_000 + b'"', b"\xff" * 900_000, b"NaN", b"{}" * 400_000,
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:16]))
@pytest.mark.parametrize("topic", KINDS)
def test_a_hostile_text_is_a_dead_letter_within_bounds(topic, text):
    _, seconds, peak = measured(lambda: targets.as_json(bytes([KINDS.index(topic)]) + text))

    assert seconds < BATCH_SECONDS_MAX
    assert peak < BATCH_BYTES_MAX


@pytest.mark.parametrize("depth", range(900, 1_000, 7))
def test_json_as_deep_as_can_be_read_can_be_shown_too(depth):
    targets.as_json(b"\x00" + b'{"exchange": ' + b"[" * depth + b"]" * depth + b"}")


def test_a_schema_with_a_name_of_a_megabyte_does_not_make_a_letter_of_one():
    unread = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "n" * 10**6}]}
    decoder = targets.LiquidationDecoder(FileRegistry({7: unread}, {}))
    given_ = batch("liquidations", [wire.header(7) + b"x"], [b"BTC"], [T])
    (refused,) = decoder.decode(given_)[1]

    assert Reason.UNKNOWN_SCHEMA == refused.reason
    assert 1_000 == len(targets.dead_letter(given_, refused, 7)["detail"])


def test_a_storm_of_nothing_but_random_bytes_is_dead_letters_one_by_one():
    chance = random.Random(5)
    ids = [1, 60, 61, 62, 63]
    values = [wire.header(chance.choice(ids)) + chance.randbytes(chance.randint(0, 200)) for _ in range(3_000)]
    given_ = batch("liquidations", values, [b"BTC"] * 3_000, [T] * 3_000)
    decoder = targets.LiquidationDecoder(registry())

    (columns, refused), seconds, peak = measured(lambda: decoder.decode(given_))

    assert (0, 3_000) == (len(columns), len(refused))
    assert seconds < BATCH_SECONDS_MAX
    assert peak < BATCH_BYTES_MAX


def test_a_name_that_could_end_a_key_never_reaches_the_state():
    names = [avro(liquidation(symbol=f"a{mark}b")) for mark in "\x1f|\x00\n\x1b\x9b\u202e"]

    units(b"\x08" + b"".join(framed("liquidations", value) for value in names))
