import doctest

import numpy as np
import pytest

from streams.codec import fields, identity, wire
from streams.codec.batch import ROOM
from tests.codec.builders import batch


@pytest.mark.parametrize("module", [wire, fields, identity], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_are_true(module):
    assert 0 == doctest.testmod(module).failed


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0", b"\1\0\0\0\1", b"{}   "])
def test_what_does_not_begin_with_five_bytes_of_header_names_no_schema(value):
    assert wire.schema_id(value) is None


def test_the_largest_schema_id_comes_back():
    assert 2**31 - 1 == wire.schema_id(wire.header(2**31 - 1))


def test_a_batch_of_one_schema_is_one_group_of_all():
    assert [(7, None)] == batch([wire.header(7) + b"x"] * 3).by_schema()


def test_schemas_are_grouped_and_what_has_no_header_is_left_out():
    groups = batch([wire.header(7), b"\1234567", wire.header(300), None, wire.header(7), b"\0\0\0\0"]).by_schema()

    assert [(7, [0, 4]), (300, [2])] == sorted((schema_id, members.tolist()) for schema_id, members in groups)


def test_a_batch_without_any_header_has_no_groups():
    assert [] == batch([b"x", None]).by_schema()
    assert [] == batch([]).by_schema()


def test_values_are_joined_with_room_behind_them():
    joined = batch([b"ab", None, b"c"]).joined()

    assert b"abc" + bytes(ROOM) == joined.blob
    assert ([0, 2, 2], [2, 2, 3]) == (joined.starts.tolist(), joined.ends.tolist())


def test_what_is_made_once_is_not_made_again():
    found = batch([wire.header(7)])

    assert found.joined() is found.joined()
    assert found.by_schema() is found.by_schema()


def test_a_slice_of_a_batch_is_its_tail():
    whole = batch([b"a", b"b", b"c"], keys=[b"1", None, b"3"])
    whole.joined()
    tail = whole.slice(1)

    assert (3, 2) == (len(whole), len(tail))
    assert ([b"b", b"c"], [None, b"3"], [1002, 1004]) == (tail.values, tail.keys, tail.offsets.tolist())
    assert tail.joined().blob.startswith(b"bc")
    assert (np.diff(tail.timestamps) == 0).all()
    assert ("liquidations", 3, True) == (tail.topic, tail.partition, tail.log_append_time)
