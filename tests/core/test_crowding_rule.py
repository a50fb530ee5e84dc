"""Every threshold of crowding, exactly at its edge."""

from dataclasses import fields, replace

import pytest

from streams.core.crowding_rule import NANO, CrowdingRule, annualised_nano, mean

RULE = CrowdingRule()
BASE = 109_500_000


def per_8h(percent):
    return annualised_nano(percent / 100, 8)


@pytest.mark.parametrize(("percent", "hours"), [(0.01, 8), (0.005, 4), (0.0025, 2), (0.00125, 1)])
def test_the_base_rate_is_the_same_at_every_interval(percent, hours):
    assert annualised_nano(percent / 100, hours) == BASE
    assert RULE.excess(BASE) == 0


@pytest.mark.parametrize("rate", [0, 1, BASE // 2, BASE])
def test_between_zero_and_the_base_rate_nothing_is_in_excess(rate):
    assert RULE.excess(rate) == 0


@pytest.mark.parametrize(("percent", "grade"), [(0.03, 1), (0.05, 2), (0.10, 3)])
def test_a_long_reaches_a_band_at_its_edge_and_not_below(percent, grade):
    rate = per_8h(percent)

    assert RULE.grade_reached(RULE.excess(rate), None) == grade
    assert RULE.grade_reached(RULE.excess(rate - 1), None) == grade - 1


@pytest.mark.parametrize(("percent", "grade"), [(-0.02, 1), (-0.04, 2), (-0.09, 3)])
def test_a_short_pays_as_much_below_zero_as_a_long_above_the_base(percent, grade):
    rate = per_8h(percent)

    assert RULE.grade_reached(RULE.excess(rate), None) == grade
    assert RULE.grade_reached(RULE.excess(rate + 1), None) == grade - 1


@pytest.mark.parametrize(("percent", "grade"), [(0.02, 1), (0.03, 2), (0.05, 3), (-0.01, 1), (-0.02, 2), (-0.04, 3)])
def test_no_percentile_reaches_a_grade_below_its_floor(percent, grade):
    excess = RULE.excess(per_8h(percent))

    assert RULE.grade_reached(excess, 100.0) == grade
    assert RULE.grade_reached(excess - 1, 100.0) == grade - 1


@pytest.mark.parametrize(("percentile", "grade"), [(80.0, 1), (90.0, 2), (97.5, 3)])
def test_no_rate_reaches_a_grade_below_its_percentile(percentile, grade):
    assert RULE.grade_reached(NANO, percentile) == grade
    assert RULE.grade_reached(NANO, percentile - 0.001) == grade - 1


@pytest.mark.parametrize("grade", [1, 2, 3])
def test_a_grade_is_kept_down_to_three_quarters_of_its_excess(grade):
    reached = per_8h([0.03, 0.05, 0.10][grade - 1]) - BASE

    assert RULE.grade_kept(reached * 3 // 4, None) == grade
    assert RULE.grade_kept(reached * 3 // 4 - 1, None) == grade - 1


@pytest.mark.parametrize(("percentile", "grade"), [(70.0, 1), (80.0, 2), (87.5, 3)])
def test_a_grade_is_kept_down_to_ten_points_below_its_percentile(percentile, grade):
    assert RULE.grade_kept(NANO, percentile) == grade
    assert RULE.grade_kept(NANO, percentile - 0.001) == grade - 1


def test_the_least_excess_is_where_the_lower_of_band_and_floor_is_kept():
    assert RULE.excess_min == round(0.75 * 109_500_000)
    assert CrowdingRule(bands_annualised=(0.2, 0.3, 0.4)).excess_min == round(0.75 * 90_500_000)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"bands_annualised": (0.3, 0.2, 0.4)},
            "bands_annualised must not fall from grade to grade, was (0.3, 0.2, 0.4)",
        ),
        ({"percentiles": (99.0, 90.0, 95.0)}, "percentiles must not fall"),
        ({"streak_hours": (3, 2, 1)}, "streak_hours must not fall"),
        ({"bands_annualised": (0.1095, 0.2, 0.4)}, "bands_annualised must be above base_rate_annualised, was 0.1095"),
        ({"floors_annualised": (0.1, 0.2, 0.4)}, "floors_annualised must be above base_rate_annualised, was 0.1"),
        ({"base_rate_annualised": -0.1}, "base_rate_annualised must not be negative, was -0.1"),
        ({"keep_share": 0.0}, "keep_share must be above 0 and at most 1, was 0.0"),
        ({"keep_share": 1.1}, "keep_share must be above 0 and at most 1, was 1.1"),
        ({"keep_points": -1.0}, "keep_points must not be negative, was -1.0"),
        ({"horizon_hours": 0}, "horizon_hours must be at least 1, was 0"),
        ({"history_days_min": 0}, "history_days_min must be at least 1, was 0"),
        ({"history_days_max": 89}, "history_days_max must be at least 90, was 89"),
        ({"history_day_hours_min": 0}, "history_day_hours_min must be 1 to 24, was 0"),
        ({"history_day_hours_min": 25}, "history_day_hours_min must be 1 to 24, was 25"),
        ({"stale_after_intervals": 0.5}, "stale_after_intervals must be at least 1, was 0.5"),
    ],
)
def test_an_impossible_threshold_is_refused_with_its_value(change, sentence):
    with pytest.raises(ValueError) as refused:
        CrowdingRule(**change)

    assert sentence in str(refused.value)


def test_every_threshold_has_a_say_in_the_version():
    changes = {
        field.name: tuple(value * 1.01 for value in field.default)
        if isinstance(field.default, tuple)
        else field.default * (0.99 if field.name == "keep_share" else 2)
        for field in fields(CrowdingRule)
        if field.init and field.name not in {"base_rate_annualised", "history_days_min"}
    }
    changes |= {"base_rate_annualised": 0.11, "history_days_min": 91}
    if "history_day_hours_min" in changes:
        changes["history_day_hours_min"] = 13
    versions = {replace(RULE, **{name: value}).version() for name, value in changes.items()}

    assert len(versions | {RULE.version()}) == len(changes) + 1


def test_half_a_unit_rounds_upwards_on_both_sides_of_zero():
    assert [mean(5, 2), mean(-5, 2), mean(4, 3), mean(5, 3)] == [3, -2, 1, 2]
