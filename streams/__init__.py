"""Liquidation streams: forced selling in crypto futures, seen as it happens.

Liquidations and funding come in as Kafka topics; windowed totals, cascades
and crowded positions go out. ``DESIGN.md`` beside this file is the map.
"""

__version__ = "0.1.0"
