import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import IntDistribution as Int

from autoresearch.errors import RevisionError
from autoresearch.knobs import Knob, check
from autoresearch.study.search.repair import repair

POWERS = Choice((32, 64, 128, 256))
TOKENS = Choice(tuple(2**exponent for exponent in range(16, 22)))


def batch_knobs(rows=POWERS, tokens=TOKENS):
    return {
        "device_batch_size": Knob("device_batch_size", int, 32, rows),
        "total_batch_size": Knob("total_batch_size", int, 2**19, tokens),
    }


@pytest.mark.parametrize(
    ("drawn", "repaired"),
    [
        ((128, 2**19), (128, 2**19)),  # goes together already
        ((256, 2**18), (128, 2**18)),  # fewer rows
        ((256, 2**16), (32, 2**16)),  # far fewer rows
    ],
)
def test_rows_are_lowered_to_the_most_that_divide_the_tokens(drawn, repaired):
    values = repair({"device_batch_size": drawn[0], "total_batch_size": drawn[1], "lr": 0.1}, batch_knobs(), 2048)

    assert values == {"device_batch_size": repaired[0], "total_batch_size": repaired[1], "lr": 0.1}


def test_tokens_are_raised_where_no_number_of_rows_divides_them():
    values = repair({"device_batch_size": 64, "total_batch_size": 2**16}, batch_knobs(), 4096)

    assert values == {"device_batch_size": 32, "total_batch_size": 2**17}


def test_ranges_of_whole_numbers_are_searched_too():
    knobs = batch_knobs(rows=Int(2, 10), tokens=Int(1000, 9000, step=500))

    values = repair({"device_batch_size": 9, "total_batch_size": 1500}, knobs, 100)

    assert values == {"device_batch_size": 5, "total_batch_size": 1500}


def test_tokens_are_lowered_where_no_larger_number_works():
    knobs = batch_knobs(rows=Choice((4, 8)), tokens=Choice((1024, 2048, 3000)))

    values = repair({"device_batch_size": 8, "total_batch_size": 3000}, knobs, 256)

    assert values == {"device_batch_size": 8, "total_batch_size": 2048}


def test_rows_are_raised_where_no_smaller_number_works():
    knobs = batch_knobs(rows=Choice((3, 8)), tokens=Choice((2048,)))

    values = repair({"device_batch_size": 3, "total_batch_size": 2048}, knobs, 256)

    assert values == {"device_batch_size": 8, "total_batch_size": 2048}


def test_long_ranges_are_not_written_out():
    knobs = batch_knobs(rows=Int(1, 10**9), tokens=Int(1, 10**12))

    values = repair({"device_batch_size": 7, "total_batch_size": 10**11}, knobs, 2048)

    assert values["device_batch_size"] <= 7
    assert values["total_batch_size"] % (values["device_batch_size"] * 2048) == 0


def test_values_without_batch_sizes_stay():
    assert repair({"lr": 0.1}, {}, 2048) == {"lr": 0.1}


def test_ranges_that_never_go_together_are_named():
    knobs = batch_knobs(rows=Choice((3,)), tokens=Choice((64, 128)))

    with pytest.raises(RevisionError, match="no total_batch_size in its range is a multiple"):
        repair({"device_batch_size": 3, "total_batch_size": 64}, knobs, 1)


@given(
    rows=st.lists(st.integers(1, 64), min_size=1, max_size=5, unique=True),
    multiples=st.lists(st.integers(1, 5000), min_size=1, max_size=6, unique=True),
    context=st.sampled_from([1, 16, 256]),
    data=st.data(),
)
def test_repaired_batch_sizes_go_together_and_stay_in_range(rows, multiples, context, data):
    tokens = [multiple * context for multiple in multiples]
    knobs = batch_knobs(Choice(rows), Choice(tokens))
    drawn = {
        "device_batch_size": data.draw(st.sampled_from(rows)),
        "total_batch_size": data.draw(st.sampled_from(tokens)),
    }

    try:
        values = repair(drawn, knobs, context)
    except RevisionError:
        assert not any(total % (choice * context) == 0 for total in tokens for choice in rows)
        return
    assert values["total_batch_size"] % (values["device_batch_size"] * context) == 0
    fewer = [choice for choice in rows if choice <= drawn["device_batch_size"]]
    if any(total % (choice * context) == 0 for total in tokens for choice in fewer):
        assert values["device_batch_size"] <= drawn["device_batch_size"]
    for name, value in values.items():
        check(knobs[name], value)
