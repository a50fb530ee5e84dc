import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.codec.identity import absorb, absorb_columns, ascii_columns, identity, words_of
from streams.codec.varint import Buffer
from tests.codec.schemas import PATIENT

TEXTS = st.binary(max_size=40)


def hashed(texts, seeds):
    length = np.array([len(text) for text in texts], np.int64)
    start = np.cumsum(length) - length
    words = words_of(Buffer(b"".join(texts) + bytes(200)), start, length)
    return absorb_columns(np.array(seeds, np.uint64), words, length).tolist()


def test_identities_are_stored_and_therefore_never_change():
    assert 0x47159CF6A38175EC == identity(b"binance", b"BTCUSDT", b"1")
    assert 0xF9089769BD63C84A == identity(b"okx", b"BTC-USDT-SWAP", b"7012345678901234567")
    assert 0xEF5FAA4F51FF592E == identity(b"", b"", b"")


@PATIENT
@given(st.lists(st.tuples(TEXTS, st.integers(0, 2**64 - 1)), min_size=1, max_size=20))
def test_a_column_of_hashes_is_the_hash_of_each(rows):
    texts, seeds = zip(*rows, strict=True)

    assert [absorb(seed, text) for text, seed in rows] == hashed(texts, seeds)


@PATIENT
@given(st.tuples(TEXTS, TEXTS, TEXTS), st.tuples(TEXTS, TEXTS, TEXTS))
def test_different_fields_have_different_identities(one, other):
    assert (one == other) == (identity(*one) == identity(*other))


def test_padding_is_not_content():
    assert len({identity(b"a", b"b", b"1" + bytes(n)) for n in range(20)}) == 20


def test_many_consecutive_ids_are_as_many_identities():
    digits = np.char.zfill(np.arange(200_000).astype("S20"), 20)
    blob = digits.tobytes() + bytes(200)
    length = np.full(200_000, 20, np.int64)
    words = words_of(Buffer(blob), np.arange(200_000) * 20, length)

    assert 200_000 == len(np.unique(absorb_columns(np.zeros(200_000, np.uint64), words, length)))


def test_every_bit_of_a_text_moves_about_half_of_the_hash():
    text = bytearray(b"8829-3311-LONG-0042-XYZ")
    before = absorb(1, bytes(text))
    moved = []
    for bit in range(8 * len(text)):
        text[bit // 8] ^= 1 << bit % 8
        moved.append((before ^ absorb(1, bytes(text))).bit_count())
        text[bit // 8] ^= 1 << bit % 8

    assert min(moved) >= 12
    assert 28 < sum(moved) / len(moved) < 36


def test_a_byte_from_128_up_is_not_ascii():
    texts = [b"a" * 9, b"a" * 8 + b"\x80", b"\x7f", b""]
    length = np.array([9, 9, 1, 0])
    words = words_of(Buffer(b"".join(texts) + bytes(200)), np.cumsum(length) - length, length)

    assert [True, False, True, True] == ascii_columns(words).tolist()
