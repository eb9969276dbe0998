"""A prepared dataset, opened: packed rows as memory maps, and what there is to know about the tokens.

This file needs numpy alone, since every trial imports it. It reads the train and val splits; the test split
lies in a folder of its own, which only `locked_test.py` opens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autoresearch.errors import DataError

FORMAT = 1  # of the folder; raise it when an older reader would misread it
META, TOKEN_BYTES, TOKENIZER = "meta.json", "token_bytes.npy", "tokenizer.json"


@dataclass(frozen=True)
class Dataset:
    """Packed rows of one corpus under one tokenizer.

    Attributes:
        path: the folder.
        name: the folder's name, such as `builtin-v2048-c256`.
        fingerprint: sha256 over the texts of the splits, the tokenizer and the packing: equal fingerprints,
            equal rows.
        context: tokens that a row lets a model see; rows are one longer.
        vocab_size: ids that a model must have room for.
        bos: the id in front of every document.
        token_bytes: (vocab_size,) int32, bytes of text of each id; 0 for `bos`.
        meta: all of `meta.json`: settings, and counts for each split.
    """

    path: Path
    name: str
    fingerprint: str
    context: int
    vocab_size: int
    bos: int
    token_bytes: np.ndarray = field(repr=False, compare=False)
    meta: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Open a prepared folder; raise DataError when it is missing, damaged or of another format."""
        meta = _read_meta(path)
        try:
            dataset = cls(
                path=path,
                name=str(meta["name"]),
                fingerprint=str(meta["fingerprint"]),
                context=int(meta["settings"]["context"]),
                vocab_size=int(meta["vocab_size"]),
                bos=int(meta["bos"]),
                token_bytes=load_array(path / TOKEN_BYTES, (int(meta["vocab_size"]),), np.int32),
                meta=meta,
            )
            dataset.train_rows()
            dataset.val_rows()
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path / META} is damaged ({error!r}); delete {path} and prepare it again") from error
        return dataset

    @property
    def bytes_per_token(self) -> float:
        """Bytes of text that a token of the training split stands for, on average."""
        train = self.meta["splits"]["train"]
        return float(train["bytes"] / train["tokens"])

    def train_rows(self, context: int | None = None) -> list[np.ndarray]:
        """Return the shards of the train split, each (rows, T + 1) uint16, all of them views of memory maps.

        Args:
            context: T; the dataset's own when None. One that divides it cuts each row into overlapping
                pieces, and then a shard comes back as several arrays.
        """
        shards = [self._rows(path.name, rows) for path, rows in self.train_files()]
        return [piece for shard in shards for piece in cut_rows(shard, self._checked(context))]

    def train_files(self) -> list[tuple[Path, int]]:
        """Where the shards of the train split lie, and how many rows each of them has."""
        counts = self.meta["splits"]["train"]["shard_rows"]
        return [(self.path / f"train-{number:05d}.npy", int(rows)) for number, rows in enumerate(counts)]

    def val_rows(self, context: int | None = None) -> np.ndarray:
        """Return the val split, (rows, T + 1) uint16, in a fixed order; `context` as for `train_rows`."""
        return self.in_order(self._rows("val.npy", self.meta["splits"]["val"]["shard_rows"][0]), context)

    def in_order(self, rows: np.ndarray, context: int | None) -> np.ndarray:
        """Cut rows to a shorter context, keeping their order; a copy unless nothing is cut."""
        length = self._checked(context)
        if length == self.context:
            return rows
        return np.stack(cut_rows(rows, length), axis=1).reshape(-1, length + 1)

    def _rows(self, name: str, rows: int) -> np.ndarray:
        return load_array(self.path / name, (int(rows), self.context + 1), np.uint16)

    def _checked(self, context: int | None) -> int:
        if context is None:
            return self.context
        if context < 1 or self.context % context:
            source = self.meta["settings"]["source"]
            raise DataError(
                f"context {context} does not divide the {self.context} of the prepared dataset {self.name}: "
                f"choose one that does, or run autoresearch prepare {source} --vocab-size "
                f"{self.meta['settings']['vocab_size']} --context {context}"
            )
        return context


def cut_rows(rows: np.ndarray, context: int) -> list[np.ndarray]:
    """Divide (rows, k·context + 1) into k views of (rows, context + 1), neighbours sharing one token."""
    return [rows[:, at : at + context + 1] for at in range(0, rows.shape[1] - 1, context)]


def load_array(path: Path, shape: Sequence[int], dtype: type[np.generic]) -> np.ndarray:
    """Map a `.npy` file and check that it is what the dataset's description says."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is missing or damaged ({error}); delete {path.parent} and prepare it again") from error
    if array.shape != tuple(shape) or array.dtype != dtype:
        raise DataError(
            f"{path} holds {array.dtype} {array.shape}, expected {np.dtype(dtype)} {tuple(shape)}; "
            f"delete {path.parent} and prepare it again"
        )
    return array


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads((path / META).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"no prepared dataset in {path}; make it with autoresearch prepare") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path / META} is damaged ({error}); delete {path} and prepare it again") from error
    found = meta.get("format") if isinstance(meta, dict) else None
    if found != FORMAT:
        newer = isinstance(found, int) and found > FORMAT
        way_out = "upgrade autoresearch" if newer else f"delete {path} and prepare it again"
        raise DataError(f"{path} has format {found}, this version reads format {FORMAT}; {way_out}")
    return dict(meta)
