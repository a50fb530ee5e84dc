"""Writer schemas of every shape, with values that fit them."""

import itertools
import json
from io import BytesIO

import avro.io
import avro.schema
import fastavro
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: Other work on the machine must not fail a test.
PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-100, 100), st.sampled_from([63, 64, -64, -65, 2**56]))
DOUBLES = st.floats(allow_nan=False)
FLOATS = st.floats(width=32, allow_nan=False)
TEXTS = st.text(max_size=80)
LEAVES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": LONGS,
    "float": FLOATS,
    "double": DOUBLES,
    "bytes": st.binary(max_size=200),
    "string": TEXTS,
}


@st.composite
def flat_fields(draw, names):
    # (schema, strategy of values) of something that columns can hold.
    kind = draw(st.sampled_from([*LEAVES, "enum", "fixed", "optional", "record"]))
    name = f"T{next(names)}"
    match kind:
        case "enum":
            symbols = [f"S{i}" for i in range(draw(st.integers(1, 70)))]
            return {"type": "enum", "name": name, "symbols": symbols}, st.sampled_from(symbols)
        case "fixed":
            size = draw(st.integers(0, 20))
            return {"type": "fixed", "name": name, "size": size}, st.binary(min_size=size, max_size=size)
        case "optional":
            leaf = draw(st.sampled_from(sorted(LEAVES.keys() - {"null"})))
            branches = draw(st.sampled_from([["null", leaf], [leaf, "null"], [leaf], ["null"]]))
            return branches, st.one_of([LEAVES[branch] for branch in branches])
        case "record":
            return draw(records(names, draw(st.integers(0, 3)), name))
        case _:
            return kind, LEAVES[kind]


@st.composite
def records(draw, names=None, count=None, name="Top"):
    names = names or itertools.count()
    count = draw(st.integers(1, 6)) if count is None else count
    parts = [draw(flat_fields(names)) for _ in range(count)]
    fields = [{"name": f"f{i}", "type": part[0]} for i, part in enumerate(parts)]
    values = st.fixed_dictionaries({f"f{i}": part[1] for i, part in enumerate(parts)})
    return {"type": "record", "name": name, "fields": fields}, values


@st.composite
def written(draw):
    # (schema, records, their bytes), written by one of the two libraries that others use.
    schema, values = draw(records())
    rows = draw(st.lists(values, min_size=1, max_size=8))
    write = draw(st.sampled_from([by_fastavro, by_avro_python3]))
    return schema, rows, [write(schema, row) for row in rows]


def by_fastavro(schema, row):
    out = BytesIO()
    fastavro.schemaless_writer(out, schema, row)
    return out.getvalue()


def by_avro_python3(schema, row):
    out = BytesIO()
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(row, avro.io.BinaryEncoder(out))
    return out.getvalue()
