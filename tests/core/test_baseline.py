"""What is normal: the lower median of up to 168 closed hours, from 24 on."""

from streams.core.baseline import HOUR_MS, Baseline


def baseline(hours, *, first=0, until=None, row=0):
    made = Baseline()
    made.hours_due(first * HOUR_MS)
    made.start([row], first)
    for hour, total in hours.items():
        made.close(hour, {row: total})
    made.hours_due((first + len(hours) if until is None else until) * HOUR_MS)
    return made


def test_23_hours_are_not_enough_and_24_are():
    assert baseline(dict.fromkeys(range(23), 5)).normal_hour([0]) is None
    assert 5 == baseline(dict.fromkeys(range(24), 5)).normal_hour([0])


def test_of_an_even_number_the_lower_one_of_the_two_in_the_middle_counts():
    assert 12 == baseline({hour: hour + 1 for hour in range(24)}).normal_hour([0])


def test_hours_without_liquidations_count_as_zero():
    assert 0 == baseline(dict.fromkeys(range(12), 9), until=24).normal_hour([0])
    assert 9 == baseline(dict.fromkeys(range(13), 9), until=24).normal_hour([0])


def test_only_the_last_168_hours_count():
    old_and_new = {hour: 9 if hour < 100 else 1 for hour in range(300)}

    assert 1 == baseline(old_and_new).normal_hour([0])


def test_nothing_is_normal_for_somebody_who_is_not_known():
    assert Baseline().normal_hour([0]) is None
    assert baseline({}).normal_hour([7]) is None


def test_an_asset_is_known_since_its_oldest_instrument():
    made = baseline(dict.fromkeys(range(24), 5))
    made.start([1], 24)

    assert 5 == made.normal_hour([0, 1])
    assert made.normal_hour([1]) is None


def test_an_asset_adds_up_its_instruments_hour_by_hour():
    made = baseline(dict.fromkeys(range(24), 5))
    made.start([1], 0)
    for hour in range(24):
        made.close(hour, {1: 2})

    assert 7 == made.normal_hour([0, 1])


def test_an_hour_closes_when_the_watermark_reaches_its_end():
    made = baseline({}, first=10)

    assert [] == list(made.hours_due(11 * HOUR_MS - 1))
    assert [10] == list(made.hours_due(11 * HOUR_MS))
    assert [] == list(made.hours_due(11 * HOUR_MS))


def test_a_row_is_forgotten_when_seven_whole_days_have_passed_it():
    made = baseline({5: 3}, until=24 + 168 - 1)
    made.forget()
    assert {0: 0} == made.first_hour

    made.hours_due((24 + 168) * HOUR_MS)
    made.forget()
    assert ({}, {}) == (made.first_hour, made.totals)


def test_a_row_that_went_on_keeps_its_first_hour():
    made = baseline({5: 3, 100: 4}, until=24 + 168)
    made.forget()

    assert ({0: 0}, {0: {100: 4}}) == (made.first_hour, made.totals)
