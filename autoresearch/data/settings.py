"""What a prepared dataset is made from and how: the choices that a user can make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoresearch.errors import DataError

MIN_VOCAB = 256  # plain bytes
MAX_VOCAB = 65_536  # every id still fits into two bytes
CLIMBMIX_SHARDS = 6_542  # training files of the climbmix repository; the one after them is held out

# Below this, best-fit rows are so short that most pieces would begin in mid-document.
BEST_FIT_FROM = 1_024


@dataclass(frozen=True)
class DataSettings:
    """The recipe of a prepared dataset.

    Attributes:
        source: `builtin`; a `.txt`, `.jsonl` or `.parquet` file or a folder of them; `climbmix`,
            `tinystories` or any Hugging Face dataset as `owner/name`. `NAME:FOLDER` reads a local clone of
            the dataset's repository.
        vocab_size: ids of the tokenizer, the begin-of-sequence token included. 256 stands for plain bytes,
            which together with that token make 257 ids.
        context: tokens that a model sees at once; a row stores one more.
        text_column: the field of a `.jsonl` line or the column of a table that holds the text.
        shards: training files to take from climbmix (of 6,542).
    """

    source: str = "builtin"
    vocab_size: int = 8192
    context: int = 2048
    text_column: str = "text"
    shards: int = 10

    def __post_init__(self) -> None:
        if not MIN_VOCAB <= self.vocab_size <= MAX_VOCAB:
            raise DataError(
                f"vocabulary size {self.vocab_size} is out of range: expected {MIN_VOCAB} (plain bytes) to {MAX_VOCAB}"
            )
        if self.context < 2:
            raise DataError(f"context {self.context} is too short: expected at least 2 tokens")
        if not 1 <= self.shards <= CLIMBMIX_SHARDS:
            raise DataError(f"shards {self.shards} is out of range: expected 1 to {CLIMBMIX_SHARDS}")
        if not self.text_column:
            raise DataError("the text column has no name: expected one such as 'text'")

    @property
    def packing(self) -> Literal["best-fit", "stream"]:
        """How documents become rows; see `packing.py`."""
        return "best-fit" if self.context >= BEST_FIT_FROM else "stream"
