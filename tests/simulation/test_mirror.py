"""The units know no side that is better: a log with longs and shorts changed gives the same, changed."""

from __future__ import annotations

import pytest

from tests.mirror import OTHER, lines, other
from tests.simulation import generate
from tests.simulation.test_units import rules
from tests.simulation.world import Schedule, World

#: Longs lose when it falls and shorts when it rises; the prices of the log are left as they are.
OF_PRICES = ("aftermath", "headline")


def said(seed):
    rule = rules(seed)
    made = World(str(seed), generate.logs(seed, rule.screen.duplicate_horizon_ms, 400), rule, Schedule())
    made.run()
    return made.cascades(), made.rows()


@pytest.mark.parametrize("seed", range(4))
def test_a_log_of_the_other_side_says_the_same_of_the_other_side(seed, monkeypatch):
    cascades, rows = said(seed)
    side = generate.Writer.side
    monkeypatch.setattr(generate.Writer, "side", lambda *given: OTHER[side(*given)])
    turned, turned_rows = said(seed)

    assert {"LONG", "SHORT"} == {each["position_side"] for each in cascades}
    assert lines(map(other, cascades), *OF_PRICES) == lines(turned, *OF_PRICES)
    assert other(rows) == turned_rows
