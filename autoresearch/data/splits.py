"""Which document trains, which validates and which is locked away: decided by what the documents say.

The rule, at any size of corpus: put the distinct documents into the order of their sha256. Of n documents the
first ceil(n/20) validate and the next ceil(n/20) test. Where the dataset pins a file for evaluation, the
first half of that file's distinct documents validate, the other half test, and none of the other files' do.
Either split stops at `MAX_HELD_OUT` bytes; its further documents are left out and never train. All else
trains, except copies of a held-out document. A document's name, place and neighbours in the corpus play no
part, and no text stands in two splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autoresearch.errors import DataError

from .corpus import Corpus
from .progress import Progress
from .text import Document

SPLITS = ("train", "val", "test")
HELD_OUT_FRACTION = 20  # one document in so many validates, and as many test
# About 25 M tokens at 8,192 ids: enough for a standard error of 0.00025 on a paired difference of val_bpb.
MAX_HELD_OUT = 100_000_000

_TRAIN, _VAL, _TEST, _LEFT_OUT = range(4)  # the first three index SPLITS


@dataclass(frozen=True)
class Plan:
    """The corpus as it was read once: which document goes where.

    Attributes:
        assigned: (documents,) uint8, an index of SPLITS, or 3 for what is left out.
        sizes: (documents,) int64, UTF-8 bytes of each document.
        parts: number of documents in each part of the corpus.
        digests: a sha256 over the texts of each split.
        repaired: documents that held bytes or surrogates which are not Unicode text.
    """

    assigned: np.ndarray
    sizes: np.ndarray
    parts: tuple[int, ...]
    digests: dict[str, str]
    repaired: int

    def mask(self, split: str) -> np.ndarray:
        """Return (documents,) bool: the documents of `split`."""
        mask: np.ndarray = self.assigned == SPLITS.index(split)
        return mask

    def bytes(self, split: str) -> int:
        """Return the UTF-8 bytes of the texts of `split`."""
        return int(self.sizes[self.mask(split)].sum())


def survey(corpus: Corpus, progress: Progress) -> Plan:
    """Read the whole corpus once and decide where each document goes."""
    progress.stage("reading", len(corpus.parts))
    digests = bytearray()
    sizes: list[int] = []
    pinned: list[bool] = []
    parts: list[int] = []
    repaired = 0
    for part in corpus.parts:
        before = len(sizes)
        for document in documents(part.read()):
            encoded = document.text.encode()
            digests += hashlib.sha256(encoded).digest()
            sizes.append(len(encoded))
            repaired += document.repaired
        parts.append(len(sizes) - before)
        pinned += [part.held_out] * parts[-1]
        progress.advance(1)
    table = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 32)  # (documents, 32)
    size = np.asarray(sizes, dtype=np.int64)
    pins = np.asarray(pinned, dtype=bool) if any(part.held_out for part in corpus.parts) else None
    assigned = assign(table, size, pins, corpus.name)
    texts = {name: hashlib.sha256(table[assigned == code].tobytes()).hexdigest() for code, name in enumerate(SPLITS)}
    return Plan(assigned, size, tuple(parts), texts, repaired)


def documents(read: Iterator[Document]) -> Iterator[Document]:
    """Drop the documents that say nothing."""
    return (document for document in read if document.text and not document.text.isspace())


def assign(digests: np.ndarray, sizes: np.ndarray, pinned: np.ndarray | None, name: str) -> np.ndarray:
    """Apply the rule above.

    Args:
        digests: (documents, 32) uint8, the sha256 of each text.
        sizes: (documents,) int64, the bytes of each text.
        pinned: (documents,) bool, documents of a file pinned for evaluation; None where no file is.
        name: of the corpus, for the error when it is too small.

    Returns:
        (documents,) uint8, an index of SPLITS, or 3 for what is left out.
    """
    # Eight bytes of the digest are the rank. Should two texts ever share them, both go where the first one
    # goes.
    rank = np.ascontiguousarray(digests[:, :8]).view(">u8").ravel().astype(np.uint64)
    choice = np.arange(len(rank)) if pinned is None else np.flatnonzero(pinned)
    distinct, first = np.unique(rank[choice], return_index=True)  # sorted by rank
    first = choice[first]
    if pinned is None:
        val = test = -(-len(distinct) // HELD_OUT_FRACTION)
        train = len(distinct) - val - test
    else:
        val, test = -(-len(distinct) // 2), len(distinct) // 2
        train = int((~np.isin(rank, distinct)).sum())
    if min(val, test, train) < 1:
        raise DataError(
            f"the corpus {name} is too small for the splits: train, val and test need a document each, and it has "
            f"{len(np.unique(rank))} distinct documents; expected at least 3"
        )
    held = distinct[: val + test]
    assigned = np.full(len(rank), _LEFT_OUT, dtype=np.uint8)
    assigned[~np.isin(rank, held)] = _TRAIN
    if pinned is not None:
        assigned[pinned] = _LEFT_OUT
    for code, chosen in ((_VAL, first[:val]), (_TEST, first[val : val + test])):
        fits = np.cumsum(sizes[chosen]) <= MAX_HELD_OUT
        fits[0] = True  # one giant document is still better than none
        assigned[chosen[fits]] = code
    return assigned
