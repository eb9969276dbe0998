"""val_bpb against a plain loop in float64."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from autoresearch.bpb import score_rows, token_nats
from autoresearch.errors import TrialError

VOCAB = 257  # the 256 bytes, and one special token
BOS = 256


class Table(torch.nn.Module):
    """A model whose logits depend on the current token only."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.nn.Embedding(VOCAB, VOCAB)
        torch.nn.init.normal_(self.logits.weight, generator=torch.Generator().manual_seed(0))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.logits(tokens)
        return logits


def byte_lengths() -> torch.Tensor:
    return torch.tensor([1] * 256 + [0], dtype=torch.int32)


def rows(count: int = 7, length: int = 12) -> np.ndarray:
    drawn = np.random.default_rng(1).integers(0, VOCAB, (count, length + 1)).astype(np.uint16)
    drawn[:, 5] = BOS
    return drawn


def written_out(model: Table, all_rows: np.ndarray) -> tuple[float, int]:
    """Bits per byte token by token; returns it and the number of bytes."""
    weights = model.logits.weight.detach().double().numpy()
    nats, size = 0.0, 0
    for row in all_rows.tolist():
        for current, following in pairwise(row):
            if following != BOS:
                nats += math.log(sum(math.exp(w) for w in weights[current])) - weights[current][following]
                size += 1
    return nats / size / math.log(2), size


def test_it_is_the_plain_loop() -> None:
    model = Table()
    expected, size = written_out(model, rows())
    score = score_rows(model, rows(), byte_lengths(), batch_size=3)
    assert score.bpb == pytest.approx(expected, rel=1e-6)
    assert score.bytes == score.tokens == size


def test_on_plain_bytes_it_is_the_loss_in_bits() -> None:
    text = rows()
    text[text == BOS] = 32
    score = score_rows(Table(), text, byte_lengths(), batch_size=3)
    loss = score.nats / score.tokens
    assert score.bpb == pytest.approx(loss / math.log(2))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_the_batch_size_does_not_matter(batch_size: int) -> None:
    model = Table()
    reference = score_rows(model, rows(), byte_lengths(), batch_size=7)
    score = score_rows(model, rows(), byte_lengths(), batch_size)
    assert (score.bytes, score.tokens) == (reference.bytes, reference.tokens)
    assert score.bpb == pytest.approx(reference.bpb, rel=1e-7)


def test_longer_tokens_count_their_bytes() -> None:
    model, lengths = Table(), byte_lengths() * 3
    one, three = (score_rows(model, rows(), sizes, 4) for sizes in (byte_lengths(), lengths))
    assert three.bytes == 3 * one.bytes
    assert three.bpb == pytest.approx(one.bpb / 3)


def test_a_uniform_model_over_256_bytes_needs_eight_bits() -> None:
    def uniform(tokens: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, VOCAB)
        logits[..., BOS] = -math.inf
        return logits

    text = rows()
    text[text == BOS] = 32
    assert score_rows(uniform, text, byte_lengths(), 4).bpb == pytest.approx(8.0)


def test_unnormalised_logits_gain_nothing() -> None:
    model = Table()
    honest = score_rows(model, rows(), byte_lengths(), 4)
    shifted = score_rows(lambda tokens: model(tokens) + 1000.0, rows(), byte_lengths(), 4)
    assert shifted.bpb == pytest.approx(honest.bpb, rel=1e-4)


def test_sixteen_bit_logits_are_scored_in_float32() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    targets = torch.tensor([[0, 1, 2], [3, 4, 0]])
    expected = -logits.double().log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    torch.testing.assert_close(token_nats(logits, targets).double(), expected, rtol=1e-5, atol=1e-6)


def test_many_logits_are_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score_rows(Table(), rows(), byte_lengths(), 7)
    monkeypatch.setattr("autoresearch.bpb._LOGITS_AT_A_TIME", 5 * VOCAB)
    assert score_rows(Table(), rows(), byte_lengths(), 7).bpb == pytest.approx(whole.bpb, rel=1e-7)


def test_a_special_token_may_have_no_probability_at_all() -> None:
    model = Table()

    def without_bos(tokens: torch.Tensor) -> torch.Tensor:
        logits = model(tokens).clone()
        logits[..., BOS] = -math.inf
        return logits

    assert 0 < score_rows(without_bos, rows(), byte_lengths(), 4).bpb < score_rows(model, rows(), byte_lengths(), 4).bpb


def test_logits_of_another_shape_are_refused() -> None:
    with pytest.raises(TrialError, match=r"shape \(4, 12, 256\), expected \(4, 12, 257\)"):
        score_rows(lambda tokens: torch.zeros(*tokens.shape, 256), rows(), byte_lengths(), 4)


def test_logits_that_are_not_finite_have_no_score() -> None:
    with pytest.raises(TrialError, match="not finite"):
        score_rows(lambda tokens: torch.full((*tokens.shape, VOCAB), math.nan), rows(), byte_lengths(), 4)
