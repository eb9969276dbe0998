from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.data.order import permutation
from autoresearch.data.packing import best_fit, flatten, stream

BOS = 60_000

# Every token of the corpus has a value of its own, so a lost, doubled or invented one shows.
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=40)
contexts = st.integers(2, 24)


def numbered_documents(sizes: list[int]) -> list[np.ndarray]:
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end, dtype=np.uint16) for size, end in zip(sizes, ends, strict=True)]


def pack(sizes: list[int], context: int, pool: int = 8) -> np.ndarray:
    documents = numbered_documents(sizes)
    flat, starts = flatten(documents, np.arange(len(documents)), BOS)
    return best_fit(flat, starts, context, BOS, pool).rows


def in_stream(sizes: list[int], context: int) -> tuple[np.ndarray, np.ndarray]:
    documents = numbered_documents(sizes)
    flat, _ = flatten(documents, np.arange(len(documents)), BOS)
    return flat, stream(flat, context, BOS).rows


@given(lengths, contexts, st.integers(1, 50))
def test_best_fit_rows_begin_with_bos(sizes: list[int], context: int, pool: int) -> None:
    assert (pack(sizes, context, pool)[:, 0] == BOS).all()


@given(lengths, contexts, st.integers(1, 50))
def test_best_fit_invents_and_doubles_no_token(sizes: list[int], context: int, pool: int) -> None:
    rows = pack(sizes, context, pool)
    counts = Counter(rows[rows != BOS].tolist())
    assert set(counts.values()) <= {1}
    assert set(counts) <= set(range(sum(sizes)))


@given(lengths, contexts, st.integers(1, 50))
def test_best_fit_loses_less_than_one_row(sizes: list[int], context: int, pool: int) -> None:
    rows = pack(sizes, context, pool)
    assert sum(sizes) - np.count_nonzero(rows != BOS) <= context


@given(lengths, contexts)
def test_best_fit_pieces_are_runs_of_one_document(sizes: list[int], context: int) -> None:
    document_of = np.repeat(np.arange(len(sizes)), sizes)
    for row in pack(sizes, context).astype(np.int64):
        follows = (row[:-1] != BOS) & (row[1:] != BOS)
        assert (row[1:][follows] == row[:-1][follows] + 1).all()
        assert (document_of[row[1:][follows]] == document_of[row[:-1][follows]]).all()


@given(lengths, contexts)
def test_best_fit_counts_what_it_kept(sizes: list[int], context: int) -> None:
    flat, starts = flatten(numbered_documents(sizes), np.arange(len(sizes)), BOS)
    packed = best_fit(flat, starts, context, BOS)
    assert packed.kept == np.count_nonzero(packed.rows != BOS)


def test_best_fit_takes_the_longest_piece_that_fits() -> None:
    # With BOS the documents are 5, 3, 4 and 2 tokens long; rows hold 7: 5 + 2, then 4 + 3.
    assert pack([4, 2, 3, 1], context=6).tolist() == [
        [BOS, 0, 1, 2, 3, BOS, 9],
        [BOS, 6, 7, 8, BOS, 4, 5],
    ]


def test_best_fit_cuts_the_longest_piece_where_nothing_fits() -> None:
    assert pack([7], context=3).tolist() == [[BOS, 0, 1, 2], [BOS, 3, 4, 5]]


def naive_best_fit(sizes: list[int], context: int) -> list[list[int]]:
    """The same packing with a plain list, an unbounded pool, and a search through all of it."""
    pieces = [[BOS, *document.tolist()] for document in numbered_documents(sizes)]
    rows: list[list[int]] = []
    row: list[int] = []
    while pieces:
        room = context + 1 - len(row)
        fitting = [piece for piece in pieces if len(piece) <= room]
        piece = max(fitting or pieces, key=len)
        pieces.remove(piece)
        row += piece[:room]
        if len(piece) > room:
            pieces.append([BOS, *piece[room:]])
        if len(row) == context + 1:
            rows.append(row)
            row = []
    return rows


@given(lengths, contexts)
def test_best_fit_fills_as_many_rows_as_a_plain_search(sizes: list[int], context: int) -> None:
    # Pieces of one length are interchangeable, so the lengths of the pieces agree row by row.
    def layout(rows: list[list[int]]) -> list[list[int]]:
        return [[at for at, token in enumerate(row) if token == BOS] for row in rows]

    assert layout(pack(sizes, context, pool=1_000).tolist()) == layout(naive_best_fit(sizes, context))


@given(lengths, contexts)
def test_the_stream_predicts_every_token_once_and_in_order(sizes: list[int], context: int) -> None:
    flat, rows = in_stream(sizes, context)
    predicted = rows[:, 1:].ravel()
    assert predicted.tolist() == flat[1 : len(predicted) + 1].tolist()


@given(lengths, contexts)
def test_the_stream_leaves_less_than_a_row_unpredicted(sizes: list[int], context: int) -> None:
    flat, rows = in_stream(sizes, context)
    assert len(flat) - 1 - rows[:, 1:].size < context


@given(lengths, contexts)
def test_stream_rows_overlap_in_one_token(sizes: list[int], context: int) -> None:
    _, rows = in_stream(sizes, context)
    assert (rows[1:, 0] == rows[:-1, -1]).all()


def test_documents_are_joined_in_the_given_order_behind_bos() -> None:
    flat, starts = flatten(numbered_documents([2, 1]), np.array([1, 0]), BOS)
    assert (flat.tolist(), starts.tolist()) == ([BOS, 2, BOS, 0, 1], [0, 2, 5])


@pytest.mark.parametrize("mean", [20, 300, 5_000])
def test_best_fit_keeps_nearly_all_tokens_at_any_length_of_document(mean: int) -> None:
    random = np.random.default_rng(0)
    documents = [np.zeros(size, np.uint16) for size in 1 + random.poisson(mean, size=1_000_000 // mean)]
    flat, starts = flatten(documents, permutation(len(documents), 0), BOS)
    assert best_fit(flat, starts, 1_024, BOS).kept / sum(map(len, documents)) > 0.998


def test_a_permutation_holds_each_number_once() -> None:
    assert sorted(permutation(1_000, 3, 4)) == list(range(1_000))


def test_permutations_differ_between_seeds() -> None:
    assert permutation(50, 0, 1).tolist() != permutation(50, 0, 2).tolist()


def test_a_permutation_is_the_same_on_every_machine() -> None:
    assert permutation(8, 1, 2).tolist() == [5, 6, 3, 2, 1, 0, 4, 7]
