"""A byte-pair tokenizer: trained by rustbpe, run by tiktoken, kept as plain JSON, counted in exact bytes.

- The one special token, `<|bos|>`, has the last id and stands before every document; text never encodes to
  it.
- The bytes of a token are those it stands for. Decoded text would miscount: half an emoji decodes to U+FFFD,
  which is three bytes of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoresearch.errors import DataError

from .settings import MIN_VOCAB
from .store import write_json

if TYPE_CHECKING:
    import tiktoken

BOS = "<|bos|>"
# GPT-4's split pattern, but numbers in pairs of digits: a small vocabulary has no room for a thousand
# triples.
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
# The pattern's engine overflows its stack on a run of about a million blanks; longer texts are encoded in
# slices.
_SLICE = 400_000


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, ranks: list[bytes], pattern: str = PATTERN) -> None:
        self.ranks = ranks
        self.pattern = pattern
        self.bos = len(ranks)
        self.vocab_size = len(ranks) + 1

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Tokenizer:
        """Learn the merges of `texts`; raise DataError when they do not yield `vocab_size` ids.

        Args:
            texts: the training split.
            vocab_size: ids in all, `<|bos|>` included; 256 means the plain bytes and `<|bos|>`, 257 ids.
        """
        ordinary = max(vocab_size - 1, 256)
        if ordinary == 256:
            return cls([bytes([value]) for value in range(256)])
        import rustbpe

        trainer = rustbpe.Tokenizer()
        trainer.train_from_iterator((part for text in texts for part in _slices(text)), ordinary, pattern=PATTERN)
        ranks = [bytes(token) for token, _ in sorted(trainer.get_mergeable_ranks(), key=lambda pair: pair[1])]
        if len(ranks) < ordinary:
            raise DataError(
                f"the training text is too small for a vocabulary of {vocab_size}: after {len(ranks) - 256} "
                f"merges nothing is left to merge; take more text, or --vocab-size {MIN_VOCAB} to {len(ranks) + 1}"
            )
        return cls(ranks)

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        import tiktoken

        return tiktoken.Encoding(
            name="autoresearch",
            pat_str=self.pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(self.ranks)},
            special_tokens={BOS: self.bos},
        )

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of `text`, (tokens,) uint16, without a BOS."""
        slices = [self._encoding.encode_to_numpy(part, disallowed_special=()) for part in _slices(text)]
        return np.concatenate(slices).astype(np.uint16) if slices else np.empty(0, dtype=np.uint16)

    def encode_batch(self, texts: list[str]) -> list[np.ndarray]:
        """Encode many texts, on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self.encode, texts))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; bytes that are no UTF-8 show as U+FFFD."""
        return self._encoding.decode([int(token) for token in ids])

    def token_bytes(self) -> np.ndarray:
        """Return how many bytes of text each id stands for, (vocab_size,) int32; 0 for `<|bos|>`."""
        lengths = [len(self._encoding.decode_single_token_bytes(token)) for token in range(self.bos)]
        return np.asarray([*lengths, 0], dtype=np.int32)

    def digest(self) -> str:
        """Identify the tokenizer: a sha256 over all that decides how it encodes."""
        return hashlib.sha256(json.dumps(self._as_json(), sort_keys=True).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write the tokenizer as JSON: pattern, special tokens, and tokens in base64, by id."""
        write_json(path, self._as_json())

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what `save` wrote."""
        try:
            stored = json.loads(path.read_bytes())
            return cls([base64.b64decode(token) for token in stored["tokens"]], stored["pattern"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"cannot read the tokenizer {path}: {error}; run autoresearch prepare again") from error

    def _as_json(self) -> dict[str, Any]:
        tokens = [base64.b64encode(token).decode() for token in self.ranks]
        return {"pattern": self.pattern, "special_tokens": {BOS: self.bos}, "tokens": tokens}


def _slices(text: str) -> Iterator[str]:
    return (text[start : start + _SLICE] for start in range(0, len(text), _SLICE))
