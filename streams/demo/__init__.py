"""The sell-off of 2026-01-31 on a terminal, with nothing but Python: ``streams demo``."""

from streams.demo.show import run

__all__ = ["run"]
