"""Bytes to the core's values and back: Avro by columns, Avro and JSON one by one, schema registries."""
