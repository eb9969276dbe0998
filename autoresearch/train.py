"""The experiment: a GPT, its optimizer and its schedules. This is the ONE file that an edit may change.

Notable choices, top to bottom:

- pre-norm residual blocks with weightless RMSNorm, each mixing in the first residual stream (`x0`) by a learned scalar
- rotary position embeddings, then RMSNorm on queries and keys; grouped key/value heads
- attention windows by pattern: `S` sees a fraction of the context, `L` all of it; the last layer is always `L`
- value embeddings on alternating layers, mixed into the values by an input-dependent gate per head
- squared ReLU in the MLP; untied head; logits soft-capped
- Muon on the matrices (stacked by shape), AdamW on embeddings, head and scalars, in one optimizer
- schedules are functions of the fraction of the budget used, which the harness writes to `GPT.budget_fraction`

The contract: this file exports `Hyperparameters` and `GPT`; `GPT.forward(tokens)` returns logits and never sees
targets; it keeps no clock, opens no file, draws no seed and prints no score.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int
from torch import Tensor, nn

from autoresearch.attention import causal_attention

PRESET = "full"  # the preset whose machine the defaults below are for; on another machine its preset replaces some


# ----------------------------------------------------------------------------------------------------------------------
# Knobs: a default and a range for each; a sample draws from the ranges
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hyperparameters:
    """Every knob of the run. Batch sizes count: `device_batch_size` rows, `total_batch_size` tokens a step."""

    # Size
    depth: Annotated[int, Int(4, 24)] = 8
    aspect_ratio: Annotated[int, Int(32, 128)] = 64  # width = depth x aspect ratio, rounded up to whole heads
    head_dim: Annotated[int, Choice((64, 128, 256))] = 128
    query_group: Annotated[int, Choice((1, 2, 4))] = 1  # query heads that share one key/value head
    # Attention
    window_pattern: Annotated[str, Choice(("SSSL", "SSLL", "SLSL", "LLLL", "SSSS", "LSSL", "SSSSL"))] = (
        "SSSL"  # repeated over the layers
    )
    short_window: Annotated[float, Choice((0.5, 0.25, 0.125, 0.0625))] = 0.5  # share of the context that S sees
    rope_base: Annotated[float, Float(1e3, 1e6, log=True)] = 1e4
    # Initialisation
    init_scale: Annotated[float, Float(0.25, 2.0, log=True)] = 1.0  # of the uniform matrices
    x0_init: Annotated[float, Float(0.0, 0.3)] = 0.1
    # Batch
    device_batch_size: Annotated[int, Choice((32, 64, 128, 256))] = 128
    total_batch_size: Annotated[int, Choice((2**16, 2**17, 2**18, 2**19, 2**20, 2**21))] = 2**19
    # Learning rates; those of embeddings and head are for width 768 and scale with (width / 768) ** -0.5
    embedding_lr: Annotated[float, Float(0.01, 2.0, log=True)] = 0.6
    unembedding_lr: Annotated[float, Float(0.0005, 0.05, log=True)] = 0.004
    matrix_lr: Annotated[float, Float(0.005, 0.2, log=True)] = 0.04
    scalar_lr: Annotated[float, Float(0.05, 2.0, log=True)] = 0.5
    # Weight decay; that of the matrices falls to zero with progress
    weight_decay: Annotated[float, Float(0.0, 0.5)] = 0.2
    embedding_weight_decay: Annotated[float, Float(0.0, 0.02)] = 0.0
    value_embedding_weight_decay: Annotated[float, Float(0.0, 0.02)] = 0.0
    unembedding_weight_decay: Annotated[float, Float(0.0, 0.05)] = 0.0
    # Schedules
    warmup_ratio: Annotated[float, Float(0.0, 0.3)] = 0.0
    warmdown_ratio: Annotated[float, Float(0.1, 0.8)] = 0.5
    final_lr_frac: Annotated[float, Float(0.0, 0.2)] = 0.0
    momentum_warmup_steps: Annotated[int, Int(1, 1000, log=True)] = 300


# ----------------------------------------------------------------------------------------------------------------------
# Schedules: functions of the fraction of the budget used
# ----------------------------------------------------------------------------------------------------------------------


def lr_multiplier(fraction: float, hp: Hyperparameters) -> float:
    """Linear warm-up, constant, linear warm-down to `final_lr_frac`."""
    if fraction < hp.warmup_ratio:
        return fraction / hp.warmup_ratio
    left = (1.0 - fraction) / hp.warmdown_ratio
    return 1.0 if left >= 1.0 else left + (1.0 - left) * hp.final_lr_frac


def muon_momentum(step: int, hp: Hyperparameters) -> float:
    """From 0.85 to 0.95 over the first steps."""
    return 0.85 + 0.10 * min(step / hp.momentum_warmup_steps, 1.0)


# ----------------------------------------------------------------------------------------------------------------------
# Model. Shapes: B rows, T positions, C width, H heads, K key/value heads, D head dimension, V vocabulary
# ----------------------------------------------------------------------------------------------------------------------


def norm(x: Tensor) -> Tensor:
    """RMSNorm over the last dimension, without weights; computed in float32, returned in the dtype of `x`.

    Written out because `F.rms_norm` returns float32 under CUDA's autocast, and with it the whole residual stream.
    """
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of `(B, T, H, D)` by angles `(1, T, 1, D/2)` (Su et al., 2021, arXiv:2104.09864)."""
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos + right * sin, right * cos - left * sin), dim=-1)


class Attention(nn.Module):
    """Causal self-attention with QK norm and, where given a table, gated value embeddings (arXiv:2410.17897)."""

    GATE_CHANNELS = 32

    def __init__(self, width: int, heads: int, kv_heads: int, window: int, table: nn.Embedding | None) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim, self.window = heads, kv_heads, width // heads, window
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, kv_heads * self.head_dim, bias=False)
        self.value = nn.Linear(width, kv_heads * self.head_dim, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.table = table  # (V, K * D): a value for each token
        self.gate = None if table is None else nn.Linear(min(self.GATE_CHANNELS, width), kv_heads, bias=False)

    def forward(self, x: Tensor, tokens: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        # One product for the three projections; they stay separate parameters so that Muon sees separate matrices.
        merged = F.linear(x, torch.cat((self.query.weight, self.key.weight, self.value.weight)))
        heads = merged.view(*tokens.shape, -1, self.head_dim)  # (B, T, H + 2K, D)
        q, k, v = torch.split(heads, [self.heads, self.kv_heads, self.kv_heads], dim=2)
        if self.table is not None and self.gate is not None:
            gate = 2 * torch.sigmoid(self.gate(x[..., : self.gate.in_features]))  # (B, T, K), 1 at the start
            v = v + gate.unsqueeze(-1) * self.table(tokens).view_as(v).to(v.dtype)
        q, k = norm(rotate(q, cos, sin)), norm(rotate(k, cos, sin))
        return self.out(causal_attention(q, k, v, self.window).flatten(2))


class MLP(nn.Module):
    """Two layers with a squared ReLU between them (Primer, arXiv:2109.08668)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.up(x))
        return self.down(hidden * hidden)  # `square` would leave the 16-bit stream under CUDA's autocast


class Block(nn.Module):
    """Attention, then MLP, each on the normalised stream and added back to it."""

    def __init__(self, attention: Attention, mlp: MLP) -> None:
        super().__init__()
        self.attention, self.mlp = attention, mlp

    def forward(self, x: Tensor, tokens: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(norm(x), tokens, cos, sin)
        return x + self.mlp(norm(x))


class GPT(LightningModule):
    """Tokens `(B, T)` int64 to logits `(B, T, V)`.

    Args:
        hp: The knobs.
        vocab_size: How many token ids there are.
        context: The longest row; rotary angles and windows are made for it.
    """

    SOFTCAP = 15.0
    cos: Tensor
    sin: Tensor

    def __init__(self, hp: Hyperparameters, vocab_size: int, context: int) -> None:
        super().__init__()
        self.hp, self.context = hp, context
        self.budget_fraction = 0.0  # the harness keeps it current
        heads = math.ceil(hp.depth * hp.aspect_ratio / hp.head_dim)
        kv_heads = next(n for n in range(max(1, heads // hp.query_group), 0, -1) if heads % n == 0)
        self.width = heads * hp.head_dim
        self.embedding = nn.Embedding(vocab_size, self.width)
        self.blocks = nn.ModuleList()
        for layer, window in enumerate(self.windows()):
            gated = layer % 2 == (hp.depth - 1) % 2  # alternating layers, the last one always among them
            table = nn.Embedding(vocab_size, kv_heads * hp.head_dim) if gated else None
            self.blocks.append(Block(Attention(self.width, heads, kv_heads, window, table), MLP(self.width)))
        self.head = nn.Linear(self.width, vocab_size, bias=False)
        self.residual_scale = nn.Parameter(torch.ones(hp.depth))
        self.x0_scale = nn.Parameter(torch.full((hp.depth,), hp.x0_init))
        channels = torch.arange(0, hp.head_dim, 2) / hp.head_dim
        angles = torch.outer(torch.arange(context), hp.rope_base**-channels)[None, :, None]  # (1, T, 1, D/2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.initialise()

    def windows(self) -> list[int]:
        """How many earlier positions each layer sees."""
        short = max(1, int(self.context * self.hp.short_window))
        pattern = self.hp.window_pattern
        kinds = [pattern[layer % len(pattern)] for layer in range(self.hp.depth - 1)] + ["L"]
        return [short if kind == "S" else self.context for kind in kinds]

    @torch.no_grad()
    def initialise(self) -> None:
        """Uniform matrices of variance 1/width; outputs of each block start at zero, so that it starts as identity."""
        bound = math.sqrt(3 / self.width)
        nn.init.normal_(self.embedding.weight)
        nn.init.normal_(self.head.weight, std=0.001)
        for name, parameter in self.blocks.named_parameters():
            if name.endswith(("out.weight", "down.weight", "gate.weight")):
                nn.init.zeros_(parameter)
            else:
                scale = 1.0 if name.endswith("table.weight") else self.hp.init_scale
                nn.init.uniform_(parameter, -bound * scale, bound * scale)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens `(B, T)` int64 to logits `(B, T, V)` float32, in [-SOFTCAP, SOFTCAP]."""
        device = tokens.device.type
        autocast = torch.is_autocast_enabled(device)  # then the whole residual stream is 16-bit
        dtype = torch.get_autocast_dtype(device) if autocast else self.head.weight.dtype
        cos, sin = (angle[:, : tokens.size(1)].to(dtype) for angle in (self.cos, self.sin))
        x = x0 = norm(self.embedding(tokens).to(dtype))
        for layer, block in enumerate(self.blocks):
            x = self.residual_scale[layer] * x + self.x0_scale[layer] * x0
            x = block(x, tokens, cos, sin)
        logits = self.head(norm(x)).float()
        return self.SOFTCAP * torch.tanh(logits / self.SOFTCAP)

    # -- what Lightning calls while it trains ------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, targets = batch  # (B, T) int64 each
        return next_token_loss(self, tokens, targets)

    def configure_optimizers(self) -> "MuonAdamW":
        hp, scale = self.hp, (self.width / 768) ** -0.5
        betas = (0.8, 0.95)
        tables = [module.weight for module in self.blocks.modules() if isinstance(module, nn.Embedding)]
        matrices = [module.weight for module in self.blocks.modules() if isinstance(module, nn.Linear)]
        groups = [
            adamw([self.head.weight], hp.unembedding_lr * scale, hp.unembedding_weight_decay, betas),
            adamw([self.embedding.weight], hp.embedding_lr * scale, hp.embedding_weight_decay, betas),
            adamw(tables, hp.embedding_lr * scale, hp.value_embedding_weight_decay, betas),
            adamw([self.residual_scale], hp.scalar_lr * 0.01, 0.0, betas),
            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),
        ]
        for shape in sorted({matrix.shape for matrix in matrices}):
            groups.append(muon([m for m in matrices if m.shape == shape], hp.matrix_lr, hp.weight_decay))
        grouped = [id(parameter) for group in groups for parameter in group["params"]]
        assert sorted(grouped) == sorted(map(id, self.parameters())), "each parameter in exactly one group"
        return MuonAdamW(groups)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        fraction, momentum = self.budget_fraction, muon_momentum(self.global_step, self.hp)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * lr_multiplier(fraction, self.hp)
            if group["kind"] == "muon":
                group["momentum"] = momentum
                group["weight_decay"] = self.hp.weight_decay * (1.0 - fraction)

    def flops_per_token(self) -> int:
        """FLOPs of one token, forward and backward: 6 a matrix weight, 12 a visible position and attention channel."""
        weights = sum(module.weight.numel() for module in self.modules() if isinstance(module, nn.Linear))
        return 6 * weights + sum(12 * self.width * min(window, self.context) for window in self.windows())


@torch.compile(dynamic=False)
def next_token_loss(model: GPT, tokens: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats. One compiled region, so that the float32 logits need not be written out."""
    return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())


# ----------------------------------------------------------------------------------------------------------------------
# Optimizer: pure updates, and a thin shell around them
# ----------------------------------------------------------------------------------------------------------------------

# Coefficients of the five steps of Polar Express (Amsel et al., 2025, arXiv:2505.16932), safety factor 2e-2.
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def adamw_update(
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: Any,
    lr: Any,
    beta1: Any,
    beta2: Any,
    decay: Any,
) -> None:
    """AdamW (Loshchilov & Hutter, 2017, arXiv:1711.05101), in place. Numbers are floats or 0-D tensors."""
    parameter.mul_(1 - lr * decay)
    mean.lerp_(gradient, 1 - beta1)
    square.lerp_(gradient.square(), 1 - beta2)
    root = (square / (1 - beta2**step)).sqrt() + 1e-10
    parameter.sub_(lr / (1 - beta1**step) * mean / root)


def orthogonalise(gradients: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix to each of `(N, rows, columns)`, by Polar Express in 5 steps."""
    x = gradients.bfloat16() if gradients.is_cuda else gradients
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * 1.02 + 1e-6)
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x  # the Gram matrix of the short side is the smaller one
    for a, b, c in POLAR_EXPRESS:
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x


def muon_update(
    parameters: Tensor,
    gradients: Tensor,
    momentum_buffer: Tensor,
    second_moment: Tensor,
    momentum: Any,
    lr: Any,
    decay: Any,
) -> None:
    """Muon on a stack `(N, rows, columns)`, in place: Nesterov momentum, orthogonalisation, NorMuon, cautious decay.

    Muon: Jordan et al., 2024. NorMuon (arXiv:2510.05491) divides each row (or column, whichever there are more of) by
    its running root mean square and keeps the norm of the whole. Cautious decay acts only where the update shrinks.
    """
    momentum_buffer.lerp_(gradients, 1 - momentum)
    update = orthogonalise(gradients.lerp(momentum_buffer, momentum)).to(parameters.dtype)
    across = -1 if parameters.size(-2) >= parameters.size(-1) else -2
    mean_square = update.square().mean(dim=across, keepdim=True)
    second_moment.lerp_(mean_square, 1 - MuonAdamW.MUON_BETA2)
    scale = second_moment.clamp_min(1e-10).rsqrt()
    norm_before = mean_square.sum(dim=(-2, -1), keepdim=True).sqrt()
    norm_after = (mean_square * scale.square()).sum(dim=(-2, -1), keepdim=True).sqrt()
    update = update * (scale * norm_before / norm_after.clamp_min(1e-10))
    shrinks = update * parameters >= 0
    parameters.sub_(lr * (update + decay * parameters * shrinks))


COMPILED = {update: torch.compile(update, dynamic=False, fullgraph=True) for update in (adamw_update, muon_update)}


def apply(update: Any, tensors: tuple[Tensor, ...], *numbers: float) -> None:
    """Run an update; on a GPU compiled, with its numbers as 0-D tensors, so that a new value does not recompile."""
    if tensors[0].is_cuda:
        COMPILED[update](*tensors, *(torch.tensor(float(number)) for number in numbers))
    else:
        update(*tensors, *numbers)


def adamw(parameters: list[Tensor], lr: float, decay: float, betas: tuple[float, float]) -> dict[str, Any]:
    """A parameter group for AdamW."""
    return {
        "kind": "adamw",
        "params": parameters,
        "lr": lr,
        "initial_lr": lr,
        "weight_decay": decay,
        "betas": betas,
    }


def muon(parameters: list[Tensor], lr: float, decay: float) -> dict[str, Any]:
    """A parameter group for Muon: matrices of one shape."""
    return {
        "kind": "muon",
        "params": parameters,
        "lr": lr,
        "initial_lr": lr,
        "weight_decay": decay,
        "momentum": 0.95,
    }


class MuonAdamW(torch.optim.Optimizer):
    """Muon or AdamW by parameter group; the groups come from `muon` and `adamw`."""

    MUON_BETA2 = 0.95

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, defaults={})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            (self._muon if group["kind"] == "muon" else self._adamw)(group)
        return loss

    def _adamw(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state.update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
            state["step"] += 1
            tensors = (p, p.grad, state["mean"], state["square"])
            apply(adamw_update, tensors, state["step"], group["lr"], *group["betas"], group["weight_decay"])

    def _muon(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        first, state = params[0], self.state[params[0]]
        rows, columns = first.shape
        if not state:
            reduced = (rows, 1) if rows >= columns else (1, columns)
            state["momentum_buffer"] = first.new_zeros(len(params), rows, columns)
            state["second_moment"] = first.new_zeros(len(params), *reduced)
        stacked = torch.stack(params)
        lr = group["lr"] * max(1.0, rows / columns) ** 0.5
        gradients = torch.stack([p.grad for p in params])
        tensors = (stacked, gradients, state["momentum_buffer"], state["second_moment"])
        apply(muon_update, tensors, group["momentum"], lr, group["weight_decay"])
        torch._foreach_copy_(params, list(stacked.unbind(0)))
