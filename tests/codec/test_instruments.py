import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.codec.identity import prefix
from streams.codec.instruments import InstrumentIndex
from streams.core.events import Instrument
from tests.codec.schemas import PATIENT


def named(value):
    return Instrument("okx", f"S{value}", "S")


def look(index, values, unusable=()):
    def spell(at):
        return None if values[at] in unusable else named(values[at])

    return index.lookup(np.array(values, np.uint64), spell).tolist()


def spread(count):
    return [n * 0x9E3779B97F4A7C15 % 2**64 for n in range(1, count + 1)]


# Few bits at the top: many of these meet in one place of the table.
HASHES = st.one_of(st.integers(0, 40), st.integers(0, 40).map(lambda n: n << 52), st.integers(0, 2**64 - 1))


@PATIENT
@given(st.lists(st.lists(HASHES, max_size=30), max_size=6), st.sets(HASHES, max_size=5))
def test_a_hash_always_means_the_same_instrument(batches, unusable):
    index = InstrumentIndex()
    for values in batches:
        codes = look(index, values, unusable)

        for value, code in zip(values, codes, strict=True):
            if value in unusable:
                assert -1 == code
            elif value:
                assert named(value) == index.instruments[code]


def test_a_known_name_is_not_spelled_again():
    index = InstrumentIndex()
    codes = look(index, [5, 6, 5])

    assert codes == index.lookup(np.array([5, 6, 5], np.uint64), lambda at: named("wrong")).tolist()


def test_several_hashes_may_mean_one_instrument():
    index = InstrumentIndex()

    assert [0, 0] == index.lookup(np.array([5, 6], np.uint64), lambda at: named(1)).tolist()


def test_twenty_thousand_names_keep_their_codes_keys_and_prefixes():
    index = InstrumentIndex()
    values = spread(20_000)
    codes = look(index, values)

    assert sorted(codes) == list(range(20_000))
    assert codes == look(index, values)
    last = codes[-1]
    assert (prefix(b"okx", f"S{values[-1]}".encode()), b"S") == (index.prefixes[last], index.keys[last])


def test_too_many_names_are_forgotten_between_batches():
    index = InstrumentIndex(names_max=3)
    look(index, [1, 2, 3])
    index.trim()
    assert 3 == len(index.instruments)
    assert [3] == look(index, [4])
    index.trim()

    assert [] == index.instruments
    assert [0, 1] == sorted(look(index, [4, 1]))


def test_narrowed_codes_mean_the_same_however_few_they_are():
    index = InstrumentIndex()
    look(index, spread(19_999))
    for count in (0, 1, 50, 500):
        codes = np.arange(count, dtype=np.int64) * 7 % 19_999
        narrowed, instruments = index.narrow(codes)
        known = index.instruments

        assert [known[code] for code in codes] == [instruments[code] for code in narrowed]
        assert len(set(codes.tolist())) == len(instruments)
