"""What a request costs: to the cent, and never nothing by accident."""

from __future__ import annotations

from decimal import Decimal

import pytest

from autoresearch.errors import InputError
from autoresearch.study.model.prices import (
    DATE,
    DEFAULT_MODEL,
    TABLE,
    Price,
    cost,
    parse_dollars,
    parse_price,
    price_of,
    worst_case,
)
from autoresearch.study.model.usage import Usage

OPUS = TABLE["claude-opus-5-5"]


def test_each_kind_of_token_has_its_own_price() -> None:
    usage = Usage(
        input_tokens=1_000, output_tokens=2_000, cache_read=100_000, cache_write_5m=3_000, cache_write_1h=20_000
    )
    # By hand, at 4 and 20 dollars a million: .004 + .04 + .02 (0.20 a million) + .015 (5) + .16 (8).
    assert cost(OPUS, usage) == Decimal("0.239")


def test_thinking_is_part_of_the_output_and_not_paid_twice() -> None:
    assert cost(OPUS, Usage(output_tokens=1_000, thinking=900)) == Decimal("0.02")


def test_reading_the_cache_costs_a_tenth_where_nothing_else_is_known() -> None:
    assert cost(parse_price("3/15"), Usage(cache_read=1_000_000)) == Decimal("0.3")


def test_a_sum_of_many_costs_is_exact() -> None:
    one = cost(OPUS, Usage(input_tokens=1, output_tokens=1, cache_read=1, cache_write_5m=1, cache_write_1h=1))
    assert sum([one] * 1_000_000) == Decimal("37.2")


@pytest.mark.parametrize("usage", [Usage(cache_write_1h=50_000, output_tokens=16_000), Usage(input_tokens=50_000)])
def test_no_request_costs_more_than_its_worst_case(usage: Usage) -> None:
    assert cost(OPUS, usage) < worst_case(OPUS, 50_000, 16_000) < Decimal("0.75")


def test_a_model_of_unknown_price_is_refused_and_not_free() -> None:
    with pytest.raises(InputError, match=rf"'gpt-9' is not known \(the table of {DATE}.*--price IN/OUT"):
        price_of("gpt-9")


def test_the_default_model_has_a_price() -> None:
    assert price_of(DEFAULT_MODEL) == OPUS


def test_a_given_price_goes_before_the_table() -> None:
    assert price_of(DEFAULT_MODEL, " 0/0 ") == Price(Decimal(0), Decimal(0))
    assert price_of("local", "0.25/1.5") == Price(Decimal("0.25"), Decimal("1.5"))


@pytest.mark.parametrize("text", ["", "4", "4/", "/20", "-4/20", "4/20/1", "nan/1", "inf/1", "1e3/2", "4,5/20", "٤/٢٠"])
def test_what_is_no_price_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"expected dollars per million tokens.*--price 4/20") as caught:
        parse_price(text)
    assert repr(text) in str(caught.value)


def test_an_amount_of_dollars_is_read_exactly() -> None:
    assert parse_dollars("--max-cost", " 0.10") * 3 == Decimal("0.30")


@pytest.mark.parametrize("text", ["", "-1", "$5", "1e9", "nan", "0.", ".5", "1,50"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--max-cost is .*: expected dollars, as in --max-cost 0.50"):
        parse_dollars("--max-cost", text)


def test_a_stream_counts_twice_and_the_totals_at_its_end_stand() -> None:
    begun = Usage.read(
        {
            "input_tokens": 10,
            "output_tokens": 1,
            "cache_read_input_tokens": 7,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        }
    )
    ended = Usage.read({"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 40}}, begun)
    assert ended == Usage(10, 50, cache_read=7, cache_write_5m=10, cache_write_1h=20, thinking=40)


def test_tokens_written_to_the_cache_for_an_unknown_time_are_the_dearer_kind() -> None:
    assert Usage.read({"cache_creation_input_tokens": 9}) == Usage(cache_write_1h=9)


@pytest.mark.parametrize("wire", [None, {}, [], "many"])
def test_a_server_that_does_not_count_leaves_the_usage_unknown(wire: object) -> None:
    assert Usage.read(wire) is None


def test_nonsense_in_a_count_is_passed_over() -> None:
    assert Usage.read({"input_tokens": -5, "output_tokens": True, "cache_creation": "x"}) == Usage()
