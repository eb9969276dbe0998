"""The stages of preparing a dataset, in a folder where each finished stage survives a kill.

A stage is finished when its last file is in place: the tokenizer, the val rows, the test rows, each shard of
train rows. The next attempt with the same texts and settings finds it there and goes on behind it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoresearch.errors import DataError

from .corpus import Corpus
from .dataset import FORMAT, META, TOKEN_BYTES, TOKENIZER
from .locked_test import TEST_ROWS
from .order import permutation
from .packing import best_fit, flatten, stream
from .progress import Progress
from .settings import DataSettings
from .splits import SPLITS, Plan, documents
from .store import write_array, write_json
from .tokenizer import Tokenizer

STAGES = "stages"  # records of finished stages, below the folder that is being built
TOKENIZER_CHARS = 1_000_000_000  # text that the tokenizer learns from
TOKENIZER_DOCUMENT_CHARS = 10_000  # ... of each document, where the corpus holds more than that
SHARD_TOKENS = 100_000_000  # tokens of a train file, packed in memory
ORDER_SEED = 0  # of the shuffles; part of the format
_BATCH_BYTES = 4_000_000  # text that is encoded at a time


@dataclass(frozen=True)
class Build:
    """One dataset in the making."""

    settings: DataSettings
    corpus: Corpus
    plan: Plan
    folder: Path
    progress: Progress

    def run(self, name: str) -> None:
        """Finish every stage and describe the result in `meta.json`; the folder is then ready to be moved."""
        self._start()
        tokenizer = self._tokenizer()
        splits = {split: self._pack(split, tokenizer) for split in ("val", "test", "train")}
        write_array(self.folder / TOKEN_BYTES, tokenizer.token_bytes())
        recipe = {
            "format": FORMAT,
            "texts": self.plan.digests,
            "tokenizer": tokenizer.digest(),
            "packing": self.settings.packing,
            "context": self.settings.context,
            "order_seed": ORDER_SEED,
        }
        meta = {
            **recipe,
            "name": name,
            "settings": asdict(self.settings),
            "vocab_size": tokenizer.vocab_size,
            "bos": tokenizer.bos,
            "splits": splits,
            "documents": len(self.plan.assigned),
            "left_out": int(np.count_nonzero(self.plan.assigned >= len(SPLITS))),
            "repaired": self.plan.repaired,
            "fingerprint": hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
        }
        write_json(self.folder / META, meta)

    def _start(self) -> None:
        """Keep the folder if an earlier attempt at the same dataset left it; else begin with an empty one."""
        recipe = {"format": FORMAT, "settings": asdict(self.settings), "texts": self.plan.digests}
        stored = self.folder / STAGES / "recipe.json"
        if _read_json(stored) != recipe:
            if self.folder.exists():
                shutil.rmtree(self.folder)
            write_json(stored, recipe)

    def _tokenizer(self) -> Tokenizer:
        path = self.folder / TOKENIZER
        if not path.exists():
            self.progress.stage("tokenizer", min(self.plan.bytes("train"), TOKENIZER_CHARS))
            Tokenizer.train(self._tokenizer_texts(), self.settings.vocab_size).save(path)
        return Tokenizer.load(path)

    def _tokenizer_texts(self) -> Iterator[str]:
        """Yield what the tokenizer learns from: train documents only, all of them if they are few enough."""
        limit = TOKENIZER_DOCUMENT_CHARS if self.plan.bytes("train") > TOKENIZER_CHARS else None
        left = TOKENIZER_CHARS
        for _, text in self._texts(self.plan.mask("train")):
            yield text[:limit]
            left -= len(text[:limit])
            self.progress.advance(len(text[:limit]))
            if left <= 0:
                return

    def _pack(self, split: str, tokenizer: Tokenizer) -> dict[str, Any]:
        """Tokenise and pack a split into its files; return its counts."""
        shards: list[dict[str, Any]] = []
        while done := _read_json(self._record(split, len(shards))):
            shards.append(done)
        wanted = self.plan.mask(split)
        wanted[: shards[-1]["next"] if shards else 0] = False
        self.progress.stage(f"packing {split}", int(self.plan.sizes[wanted].sum()))
        for ids, after in self._tokenised_shards(wanted, tokenizer):
            shards.append(self._write_shard(split, len(shards), ids, after, tokenizer.bos))
        return self._summary(split, shards)

    def _tokenised_shards(self, wanted: np.ndarray, tokenizer: Tokenizer) -> Iterator[tuple[list[np.ndarray], int]]:
        """Yield the tokens of the wanted documents, shard by shard, and the index of the document after."""
        ids: list[np.ndarray] = []
        tokens = after = 0
        for texts, after in self._batches(wanted):
            encoded = tokenizer.encode_batch(texts)
            self.progress.advance(sum(len(text.encode()) for text in texts))
            ids += encoded
            tokens += sum(map(len, encoded))
            if tokens >= SHARD_TOKENS:
                yield ids, after
                ids, tokens = [], 0
        if ids:
            yield ids, after

    def _write_shard(self, split: str, number: int, ids: list[np.ndarray], after: int, bos: int) -> dict[str, Any]:
        context = self.settings.context
        flat, starts = flatten(ids, permutation(len(ids), ORDER_SEED, number), bos)
        total = len(flat) - len(ids)
        best = self.settings.packing == "best-fit"
        packed = best_fit(flat, starts, context, bos) if best else stream(flat, context, bos)
        rows = packed.rows
        if split == "train":  # a shard of training rows in no order: a prefix is then a fair sample
            rows = rows[permutation(len(rows), ORDER_SEED, number, 1)]
        if len(rows):
            name = {"train": f"train-{number:05d}.npy", "val": "val.npy", "test": TEST_ROWS}[split]
            write_array(self.folder / name, rows)
        record = {"next": after, "tokens": total, "kept": packed.kept, "rows": len(rows)}
        write_json(self._record(split, number), record)
        return record

    def _summary(self, split: str, shards: list[dict[str, Any]]) -> dict[str, Any]:
        tokens, rows = (sum(shard[key] for shard in shards) for key in ("tokens", "rows"))
        if not rows:
            raise DataError(
                f"the {split} split of {self.corpus.name} has {tokens:,} tokens, which do not fill one row "
                f"of {self.settings.context + 1:,}: expected a larger corpus or a shorter --context"
            )
        return {
            "documents": int(self.plan.mask(split).sum()),
            "bytes": self.plan.bytes(split),
            "tokens": tokens,
            "kept": sum(shard["kept"] for shard in shards),
            "rows": rows,
            "shard_rows": [shard["rows"] for shard in shards if shard["rows"]],
        }

    def _batches(self, wanted: np.ndarray) -> Iterator[tuple[list[str], int]]:
        """Yield the wanted texts in batches, each with the index of the document after its last."""
        texts: list[str] = []
        size = after = 0
        for index, text in self._texts(wanted):
            texts.append(text)
            size += int(self.plan.sizes[index])
            after = index + 1
            if size >= _BATCH_BYTES:
                yield texts, after
                texts, size = [], 0
        if texts:
            yield texts, after

    def _texts(self, wanted: np.ndarray) -> Iterator[tuple[int, str]]:
        """Read the wanted documents again, with their indices; parts without any are not opened."""
        start = 0
        for part, count in zip(self.corpus.parts, self.plan.parts, strict=True):
            if wanted[start : start + count].any():
                index = start
                for index, document in enumerate(documents(part.read()), start):
                    self._check_unchanged(index, start + count, document.text, part.name)
                    if wanted[index]:
                        yield index, document.text
            start += count

    def _check_unchanged(self, index: int, stop: int, text: str, part: str) -> None:
        if index >= stop or len(text.encode()) != self.plan.sizes[index]:
            raise DataError(f"{part} changed while it was being prepared; run the same command again")

    def _record(self, split: str, number: int) -> Path:
        return self.folder / STAGES / f"{split}-{number:05d}.json"


def _read_json(path: Path) -> Any:
    """Return what the file holds, or None when it is not there or was not written by us."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
