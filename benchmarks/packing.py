"""What packing keeps, and how fast it is: the built-in corpus at 2,048 ids, and synthetic lengths.

python benchmarks/packing.py
"""

from __future__ import annotations

import time

import numpy as np

from autoresearch.data.corpus import builtin_files
from autoresearch.data.order import permutation
from autoresearch.data.packing import best_fit, flatten, stream
from autoresearch.data.tokenizer import Tokenizer

CONTEXTS = (256, 512, 1024, 2048)
SYNTHETIC_TOKENS = 4_000_000


def builtin_documents() -> tuple[list[np.ndarray], int]:
    texts = [path.read_text(encoding="utf-8") for path in builtin_files()]
    tokenizer = Tokenizer.train(texts, 2048)
    return tokenizer.encode_batch(texts), tokenizer.bos


def synthetic_documents(mean: int) -> tuple[list[np.ndarray], int]:
    """Documents of exponentially distributed length, as the web has them."""
    random = np.random.default_rng(mean)
    lengths = 1 + random.exponential(mean, size=SYNTHETIC_TOKENS // mean).astype(np.int64)
    return [random.integers(0, 2047, size=length).astype(np.uint16) for length in lengths], 2047


def measure(name: str, documents: list[np.ndarray], bos: int) -> None:
    total = sum(map(len, documents))
    for context in CONTEXTS:
        for method in ("best-fit", "stream"):
            begin = time.perf_counter()
            flat, starts = flatten(documents, permutation(len(documents), 0), bos)
            packed = best_fit(flat, starts, context, bos) if method == "best-fit" else stream(flat, context, bos)
            rows = np.ascontiguousarray(packed.rows)
            seconds = time.perf_counter() - begin
            kept, speed = packed.kept / total, total / seconds / 1e6
            print(f"{name:<18}{context:>8}  {method:<9}{len(rows):>8}{kept:>10.3%}{speed:>10.0f}")


def main() -> None:
    print(f"{'documents':<18}{'context':>8}  {'method':<9}{'rows':>8}{'kept':>10}{'M tok/s':>10}")
    measure("built-in", *builtin_documents())
    for mean in (50, 200, 1_000, 10_000):
        measure(f"mean {mean:,} tokens", *synthetic_documents(mean))


if __name__ == "__main__":
    main()
