from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.data import splits
from autoresearch.data.corpus import Corpus, Part
from autoresearch.data.progress import Silent
from autoresearch.data.splits import Plan, survey
from autoresearch.data.text import Document
from autoresearch.errors import DataError

TRAIN, VAL, TEST, LEFT_OUT = range(4)
texts_with_copies = st.lists(st.integers(0, 80).map(str), min_size=3, max_size=200)


def part(texts: list[str], name: str = "part", *, held_out: bool = False) -> Part:
    def read() -> Iterator[Document]:
        return (Document(text) for text in texts)

    return Part(name, read, held_out=held_out)


def plan_of(*parts: Part) -> Plan:
    return survey(Corpus("example", parts), Silent())


def where(texts: list[str], plan: Plan) -> dict[str, set[int]]:
    places: dict[str, set[int]] = {}
    for text, code in zip(texts, plan.assigned.tolist(), strict=True):
        places.setdefault(text, set()).add(code)
    return places


@given(texts_with_copies.filter(lambda texts: len(set(texts)) >= 3))
def test_no_text_stands_in_two_splits(texts: list[str]) -> None:
    for codes in where(texts, plan_of(part(texts))).values():
        assert len(codes - {LEFT_OUT}) == 1


@given(texts_with_copies.filter(lambda texts: len(set(texts)) >= 3))
def test_each_split_has_a_document(texts: list[str]) -> None:
    assert {TRAIN, VAL, TEST} <= set(plan_of(part(texts)).assigned.tolist())


def test_one_distinct_document_in_twenty_validates_and_one_tests() -> None:
    texts = [str(number) for number in range(1_000)]
    assert np.bincount(plan_of(part([*texts, *texts])).assigned).tolist() == [1_800, 50, 50, 100]


def test_the_order_and_the_files_of_the_documents_do_not_matter() -> None:
    texts = [str(number) for number in range(100)]
    turned = texts[::-1]
    assert where(texts, plan_of(part(texts))) == where(turned, plan_of(part(turned[:30]), part(turned[30:])))


def test_the_lowest_hashes_validate() -> None:
    texts = [str(number) for number in range(40)]
    ranked = sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())
    places = where(texts, plan_of(part(texts)))
    assert [places[text] for text in ranked[:5]] == [{VAL}, {VAL}, {TEST}, {TEST}, {TRAIN}]


def test_a_pinned_file_alone_is_held_out() -> None:
    train, pinned = [f"t{number}" for number in range(50)], [f"p{number}" for number in range(9)]
    plan = plan_of(part(train), part(pinned, held_out=True))
    assert plan.assigned[:50].tolist() == [TRAIN] * 50
    assert sorted(plan.assigned[50:].tolist()) == [VAL] * 5 + [TEST] * 4


def test_a_training_document_that_equals_a_pinned_one_is_dropped() -> None:
    train, pinned = ["a", "b", "p1", "c"], ["p0", "p1", "p2"]
    assert plan_of(part(train), part(pinned, held_out=True)).assigned[2] == LEFT_OUT


def test_a_held_out_document_counts_once() -> None:
    plan = plan_of(part(["a", "b"]), part(["p", "p", "q"], held_out=True))
    assert sorted(plan.assigned[2:].tolist()) == [VAL, TEST, LEFT_OUT]


def test_documents_above_the_cap_are_held_out_but_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{number:05}" for number in range(1_000)]
    uncapped = plan_of(part(texts)).assigned
    monkeypatch.setattr(splits, "MAX_HELD_OUT", 5 * 20)
    capped = plan_of(part(texts)).assigned
    assert np.bincount(capped).tolist() == [900, 20, 20, 60]
    assert (capped == TRAIN).tolist() == (uncapped == TRAIN).tolist()


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "b"], ["a", "b", "a", "b"]])
def test_a_corpus_too_small_for_the_splits_is_told_with_numbers(texts: list[str]) -> None:
    with pytest.raises(DataError, match=rf"example is too small .* {len(set(texts))} distinct documents"):
        plan_of(part(texts))


def test_documents_that_say_nothing_are_no_documents() -> None:
    assert len(plan_of(part(["a", "", "b", " \n", "c"])).assigned) == 3


def test_the_digest_of_a_split_follows_its_texts() -> None:
    texts = [str(number) for number in range(30)]
    one = plan_of(part(texts))
    index = int(np.flatnonzero(one.assigned == TRAIN)[0])
    changed = plan_of(part([*texts[:index], *texts[index + 1 :]]))
    assert one.digests["train"] != changed.digests["train"]
    assert one.digests["val"] == changed.digests["val"]


def test_the_plan_counts_bytes_not_characters() -> None:
    plan = plan_of(part(["é", "日", "a"]))
    assert sum(plan.bytes(split) for split in ("train", "val", "test")) == 6
