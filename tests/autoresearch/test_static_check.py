"""The check of a revision's text: what it refuses, in which words, and the honest neighbours that it lets pass."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest

from autoresearch.errors import RevisionError
from autoresearch.presets import PRESETS, retarget
from autoresearch.revision import package_source
from autoresearch.static_check import check_source
from autoresearch.static_check.allowed_names import MODULES, ONLY, OPEN
from autoresearch.static_check.source_limits import MAX_BYTES, MAX_NUMBERS
from autoresearch.static_check.source_tree import MAX_DEPTH
from autoresearch.study.editors.blocks import EditError, apply
from autoresearch.study.editors.replay import read_records
from autoresearch.study.records import Edit

EDITS = read_records(Path(__file__).parents[2] / "examples" / "edits.jsonl")

SMALL = '''"""A small train.py; the snippets of the tests take the place of its comments."""
import math
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from optuna.distributions import IntDistribution as Int
from torch import Tensor, nn


@dataclass(frozen=True)
class Hyperparameters:
    depth: Annotated[int, Int(1, 24)] = 8
    device_batch_size: Annotated[int, Int(1, 8)] = 1
    total_batch_size: Annotated[int, Int(1, 8)] = 1
    # knobs


class GPT(LightningModule):
    def __init__(self, hp: Hyperparameters, vocab_size: int, context: int) -> None:
        super().__init__()
        self.head = nn.Embedding(vocab_size, vocab_size)
        # init

    def forward(self, tokens: Tensor) -> Tensor:
        # forward
        return self.head(tokens)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, targets = batch
        # training_step
        return F.cross_entropy(self(tokens).flatten(0, 1), targets.flatten())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # configure_optimizers
        return torch.optim.AdamW(self.parameters())

    # methods


# module
'''


def with_snippet(snippet: str, place: str = "module") -> str:
    [marker] = [line for line in SMALL.splitlines() if line.strip() == f"# {place}"]
    indented = textwrap.indent(textwrap.dedent(snippet).strip("\n"), marker[: marker.index("#")])
    return SMALL.replace(marker + "\n", indented + "\n")


def line_of(place: str) -> int:
    return [line.strip() for line in SMALL.splitlines()].index(f"# {place}") + 1


def refusal(source: str) -> str:
    with pytest.raises(RevisionError) as caught:
        check_source(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- what passes -------------------------------------------------------------------------------------------------------


def applied_or_none(edit: Edit, source: str) -> str | None:
    try:
        return apply(source, edit.blocks)
    except EditError:
        return None


def test_a_small_file_passes() -> None:
    check_source(SMALL)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_package_s_file_passes_for_every_machine(preset: str) -> None:
    check_source(retarget(package_source(), PRESETS[preset]))


def test_every_example_edit_that_applies_passes() -> None:
    texts = [text for edit in EDITS if (text := applied_or_none(edit, package_source())) is not None]
    assert len(texts) > 10
    for text in texts:
        check_source(text)


HONEST = {
    "a causal convolution": '''
        class CausalConv(nn.Module):
            def __init__(self, width: int, size: int = 4) -> None:
                super().__init__()
                self.size = size
                self.conv = nn.Conv1d(width, width, size, groups=width)

            def forward(self, x: Tensor) -> Tensor:
                return self.conv(F.pad(x.mT, (self.size - 1, 0))).mT
        ''',
    "a recurrent block, with a step and an input of its own": '''
        class Recurrent(nn.Module):
            def __init__(self, width: int) -> None:
                nn.Module.__init__(self)
                self.cell = Cell(width)

            def forward(self, input: Tensor) -> Tensor:
                state, states = torch.zeros_like(input[:, 0]), []
                for t in range(input.size(1)):
                    state = self.cell.step(input[:, t], state)
                    states.append(state)
                return torch.stack(states, dim=1)

        class Cell(nn.GRUCell):
            def __init__(self, width: int) -> None:
                super().__init__(width, width)

            def step(self, x: Tensor, state: Tensor) -> Tensor:
                return self(x, state)
        ''',
    "a mixture of experts": '''
        class Experts(nn.Module):
            """Token-choice routing; each expert sees only its tokens."""

            def __init__(self, width: int, experts: int) -> None:
                super().__init__()
                self.router = nn.Linear(width, experts, bias=False)
                for i in range(experts):
                    setattr(self, f"expert_{i}", nn.Linear(width, width))
                self._count = experts

            def forward(self, x: Tensor) -> Tensor:
                weights, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
                out = torch.zeros_like(x)
                for i in range(self._count):
                    weight = (weights * (chosen == i)).sum(-1, keepdim=True)
                    out = out + weight * getattr(self, f"expert_{i}")(x)
                return out

            def __len__(self) -> int:
                return self._count

            def __repr__(self) -> str:
                return f"{type(self).__name__}({self._count})"
        ''',
    "an autograd function that computes a part again": '''
        class Recomputed(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
                ctx.save_for_backward(x, weight)
                return F.relu(x @ weight).square()

            @staticmethod
            def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
                x, weight = (saved.detach().requires_grad_() for saved in ctx.saved_tensors)
                with torch.enable_grad():
                    y = F.relu(x @ weight).square()
                return torch.autograd.grad(y, (x, weight), gradients)
        ''',
    "an optimizer": '''
        class SignSGD(torch.optim.Optimizer):
            def __init__(self, params: Any, lr: float) -> None:
                super().__init__(params, {"lr": lr})

            @torch.no_grad()
            def step(self, closure: Any = None) -> Any:
                loss = None
                if closure is not None:
                    with torch.enable_grad():
                        loss = closure()
                for group in self.param_groups:
                    torch._foreach_mul_(group["params"], 1 - group["lr"])
                return loss

        class Scheduled(SignSGD):
            @torch.no_grad()
            def step(self, closure: Any = None) -> Any:
                with torch.enable_grad():
                    pass
                return super().step(closure)
        ''',
    "flex attention, variable lengths and checkpoints": '''
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
        from torch.nn.attention.varlen import varlen_attn
        from torch.utils.checkpoint import checkpoint
        import torch.utils.checkpoint as again

        compiled_flex = torch.compile(flex_attention, dynamic=False)
        HAS_SDPA = hasattr(F, "scaled_dot_product_attention") and hasattr(torch, "compile")

        def attend(q: Tensor, k: Tensor, v: Tensor, mask: "BlockMask | None") -> Tensor:
            if mask is not None:
                return compiled_flex(q, k, v, block_mask=mask)
            with sdpa_kernel(SDPBackend.MATH):
                return checkpoint(F.scaled_dot_product_attention, q, k, v, is_causal=True, use_reentrant=False)
        ''',
    "a Triton kernel": '''
        try:
            import triton
            import triton.language as tl
        except ImportError:
            triton = None

        def kernel(x_ptr, n: "tl.constexpr"):
            at = tl.program_id(0) * 128 + tl.arange(0, 128)
            x = tl.load(x_ptr + at, mask=at < n)
            tl.store(x_ptr + at, tl.math.exp(x), mask=at < n)
        ''',
    "settings that are a matter of speed": '''
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
        if __name__ == "__main__":
            print(f"torch {torch.__version__}")
        ''',
    "dataclasses, enums and text annotations": '''
        import copy, enum, functools, itertools
        from collections import OrderedDict, defaultdict
        from collections.abc import Callable, Iterator
        from contextlib import nullcontext
        from typing import Literal, NamedTuple

        class Kind(enum.Enum):
            FAST = "fast"

        @dataclass
        class Layer:
            sizes: list[int] = field(default_factory=list)
            kind: Literal["open", "exec"] = "open"
            next: "Layer | None" = None
            note: Annotated[str, Int(0, 1), "free text, not code"] = ""

            def __post_init__(self) -> None:
                self.sizes.append(1)

            def __call__(self, x: Tensor) -> Tensor:
                return x if (n := len(self.sizes)) else x * n

            def __getitem__(self, i: int) -> int:
                return self.sizes[i]

            def __iter__(self) -> Iterator[int]:
                return iter(self.sizes)

        @functools.lru_cache
        def table(n: int) -> Tensor:
            return torch.tensor([math.sin(i) for i, input in enumerate(range(n))])

        def chunked(x: Tensor) -> Tensor:
            B, T, F = x.shape
            return x.view(B * T, F) + sum(torch.zeros(F) for F in (F, F))
        ''',
    "a hashing constant and a docstring of any length": f'''
        HASH = 0x9E3779B97F4A7C15

        def documented() -> int:
            """{"words " * 100}

{(("words " * 100) + chr(10)) * 10}"""
            return HASH
        ''',
}  # fmt: skip

HONEST_METHODS = {
    "an average of the weights": '''
        def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
            with torch.no_grad():
                for slow, fast in zip(self._slow, self.parameters()):
                    slow.lerp_(fast, 0.01)

        def on_train_end(self) -> None:
            for slow, fast in zip(self._slow, self.parameters()):
                fast.data.copy_(slow)
        ''',
    "clipped gradients and a schedule": '''
        def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * (1 - self.budget_fraction) * min(1, self.trainer.global_step / 100)
        ''',
    "an optimizer step of its own": '''
        def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
            optimizer.step(closure=optimizer_closure)

        def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
            loss.backward()
        ''',
    "manual optimisation": '''
        def manual_step(self, loss: Tensor) -> None:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        ''',
}  # fmt: skip


@pytest.mark.parametrize("snippet", HONEST.values(), ids=HONEST)
def test_an_honest_edit_passes(snippet: str) -> None:
    check_source(with_snippet(snippet))


def test_annotations_may_stay_unevaluated() -> None:
    check_source(SMALL.replace("import math\n", "from __future__ import annotations\n\nimport math\n", 1))


@pytest.mark.parametrize("snippet", HONEST_METHODS.values(), ids=HONEST_METHODS)
def test_an_honest_method_passes(snippet: str) -> None:
    check_source(with_snippet(snippet, "methods"))


def test_forward_may_have_options_that_the_judge_does_not_know() -> None:
    check_source(SMALL.replace("(self, tokens: Tensor)", "(self, tokens: Tensor, *, hidden: bool = False)"))


def test_the_methods_may_stand_in_a_base_of_the_file() -> None:
    check_source(SMALL.replace("class GPT(", "class Base(") + "\n\nclass GPT(Base):\n    pass\n")


def test_the_contract_s_classes_may_come_under_other_names() -> None:
    source = SMALL.replace("from lightning.pytorch import LightningModule", "import lightning.pytorch as pl")
    source = source.replace("(LightningModule)", "(pl.LightningModule)")
    source = source.replace("from dataclasses import dataclass, field", "import dataclasses")
    check_source(source.replace("@dataclass(", "@dataclasses.dataclass("))


# -- what is refused ---------------------------------------------------------------------------------------------------

REFUSED = [
    # imports
    ("import os", "imports os; a train.py may import torch, autoresearch.attention, collections,"),
    ("import os.path as p", "imports os.path; a train.py may import torch, "),
    ("import time", "let schedules follow self.budget_fraction"),
    ("import random", "seeds belong to the harness"),
    ("import numpy as np", "imports numpy; a train.py may import"),
    ("import builtins", "imports builtins"),
    ("from pathlib import Path", "imports pathlib"),
    ("def f():\n    import socket", "imports socket"),
    ("from . import data", "a relative import"),
    ("from .data import x", "a relative import"),
    ("from torch import *", "imports * from torch"),
    ("import torch.utils.data", "uses torch.utils.data: the harness makes the batches"),
    ("import torch.multiprocessing as mp", "uses torch.multiprocessing: a train.py starts no process"),
    ("import torch.nonsense", "imports torch.nonsense; a train.py may import"),
    ("from torch import hub", "uses torch.hub: a train.py opens no file"),
    ("from torch import load as x", "uses torch.load: a train.py opens no file"),
    ("from torch import (\n    nn,\n    save,\n)", "uses torch.save"),
    ("from torch.utils.cpp_extension import load_inline", "uses torch.utils.cpp_extension: a train.py loads no native"),
    ("from lightning.pytorch import Trainer", "of lightning.pytorch a train.py may use only LightningModule"),
    ("from lightning import seed_everything", "uses lightning.seed_everything: seeds belong to the harness"),
    ("from autoresearch.judge import judge", "of autoresearch a train.py may use only attention"),
    ("from autoresearch.attention import importlib", "may use only causal_attention"),
    ("import optuna\noptuna.load_study", "of optuna a train.py may use only distributions"),
    ("from typing import get_type_hints", "runs no text as code"),
    ("from dataclasses import make_dataclass", "of dataclasses a train.py may use only"),
    # what the modules would lead to, under any name
    ("torch.load('x.pt')", "uses torch.load: a train.py opens no file"),
    ("import torch as t\nt.load('x.pt')", "uses torch.load"),
    ("from torch import nn as n\nn.modules.module.os", "uses torch.nn.modules: of an allowed module"),
    ("torch.os.system('true')", "uses torch.os: of an allowed module a train.py uses the public mathematics"),
    ("F.importlib.import_module('os')", "uses torch.nn.functional.importlib"),
    ("torch._C._cuda_init()", "uses torch._C"),
    ("torch._dynamo.config.suppress_errors = True", "assigns to torch._dynamo.config.suppress_errors, which changes"),
    ("x = torch.ops.load_library", "uses torch.ops.load_library: a train.py loads no native code"),
    ("x = torch.from_file", "uses torch.from_file: a train.py opens no file"),
    ("@torch.jit.script\ndef f(x): return x", "uses torch.jit: a train.py loads no native code; use torch.compile"),
    ("torch.set_num_threads(64)", "uses torch.set_num_threads: the harness sets up the machine"),
    ("torch.compiler.set_stance('force_eager')", "uses torch.compiler.set_stance: the harness sets up"),
    ("math.__loader__", "uses math.__loader__"),
    ("m = torch", "hands the module torch around; name what is used of it, as in torch.NAME"),
    ("m = [nn]", "hands the module torch.nn around"),
    ("print(torch.nn)", "hands the module torch.nn around"),
    ("getattr(torch, 'load')", "hands the module torch around"),
    ("def f(torch=torch): return torch.load", "hands the module torch around"),
    ("x = [torch.load for torch in torch.load]", "uses torch.load"),
    ("def f():\n    x = [torch for torch in []]\n    torch.load('x')", "uses torch.load"),
    ("def f():\n    import torch as t\n    def g():\n        nonlocal t\n        t = t.load", "uses torch.load"),
    ("try:\n    import math as m\nexcept ImportError:\n    import torch as m\nm.load", "uses torch.load"),
    # seeds
    ("torch.manual_seed(1)", "uses torch.manual_seed: seeds belong to the harness"),
    ("torch.cuda.manual_seed_all(1)", "uses torch.cuda.manual_seed_all: seeds belong to the harness"),
    ("g = torch.Generator()", "uses torch.Generator: seeds belong to the harness"),
    ("torch.random.fork_rng()", "uses torch.random: seeds"),
    ("x = torch.initial_seed()", "seeds belong to the harness"),
    ("def f(g):\n    g.manual_seed(1)", "uses .manual_seed: seeds belong to the harness"),
    # the clock
    ("def f(a, b):\n    return a.elapsed_time(b)", "uses .elapsed_time: a train.py keeps no clock"),
    # built-in functions
    ("open('x')", "uses open: a train.py opens no file"),
    ("eval('1')", "uses eval: a train.py runs no text as code"),
    ("f = exec", "uses exec: a train.py runs no text as code"),
    ("__import__('os')", "uses __import__: a train.py runs no text"),
    ("compile('1', '', 'eval')", "uses compile"),
    ("globals()['x']", "uses globals: a train.py looks at nothing but its own model"),
    ("def f(): return vars(f)", "uses vars"),
    ("memoryview(b'')", "uses memoryview"),
    ("breakpoint()", "uses breakpoint: nobody is there to answer"),
    ("def f(x=input): pass", "uses input: nobody is there to answer"),
    ("def f():\n    from torch import cat as open\nopen('x')", "uses open"),
    ("if math.pi < 3:\n    open = print\nopen('x')", "uses open"),
    ("type('X', (), {})", "makes a class by a call of type"),
    ("g = getattr", "uses getattr in another way than getattr(x"),
    ("def f(x, name): return getattr(x, name)", "uses getattr in another way than"),
    ("def f(x, name): return getattr(x, f'_{name}')", "uses getattr in another way than"),
    ("def f(x): return getattr(x, '__class__')", "uses .__class__, which is a special name"),
    ("def f(x): return getattr(x, 'f_globals')", "uses .f_globals: a train.py looks at nothing"),
    ("def f(x): setattr(x, 'y', 1)", "uses setattr in another way than setattr(self"),
    ("setattr(nn.Linear, 'forward', print)", "uses setattr in another way than"),
    ("delattr(nn.Linear, 'forward')", "uses delattr"),
    # special names
    ("().__class__", "uses .__class__, which is a special name that changes how Python treats objects"),
    ("def f(x): return x.__init__.__globals__", "uses .__globals__"),
    ("def f(x):\n    match x:\n        case object(__class__=c): return c", "uses .__class__"),
    ("__builtins__", "uses __builtins__, which is a special name"),
    ("x = __file__", "uses __file__"),
    ("def f(x): return x.__dict__", "uses .__dict__"),
    ("def f(g): return g.gi_frame.f_back", "a train.py looks at nothing but its own model"),
    ("def __getattr__(name): return 1", "defines __getattr__, which is a special name"),
    ("class A:\n    def __reduce__(self): return print, ()", "defines __reduce__"),
    ("class A:\n    def __del__(self): pass", "defines __del__"),
    ("class A:\n    __getattribute__ = print", "uses __getattribute__, which is a special name"),
    ("class A:\n    def __init_subclass__(cls): pass", "defines __init_subclass__"),
    ("class A(metaclass=type): pass", "gives class A a metaclass"),
    ("class A(**{'metaclass': type}): pass", "gives class A a metaclass"),
    # text that Python runs as code when it looks at the annotations
    ("def f(x: 'open(1)'): pass", "uses open"),
    ("x: 'list[torch.load]' = 1", "uses torch.load"),
    ("x: list['*eval(1)'] = 1", "uses eval"),
    # patches
    ("F.cross_entropy = print", "assigns to torch.nn.functional.cross_entropy, which changes what other code uses"),
    ("torch.nn.Linear.forward = print", "assigns to torch.nn.Linear.forward"),
    ("LightningModule.x: int = 1", "assigns to lightning.pytorch.LightningModule.x"),
    ("del nn.Linear.forward", "assigns to torch.nn.Linear.forward"),
    ("torch.x += 1", "assigns to torch.x"),
    ("for math.pi in [3]: pass", "assigns to math.pi"),
    ("nn.Module.hooks[0] = print", "assigns to an item of torch.nn.Module.hooks"),
    ("def f():\n    global F\n    F = print", "declares the imported name F global"),
    # learning where the clock does not run
    ("def f(x):\n    with torch.enable_grad(): return x", "uses torch.enable_grad: whether gradients are kept is"),
    ("from torch import inference_mode as i\ni(False)", "uses torch.inference_mode"),
    ("torch.autograd.set_grad_enabled(True)", "uses torch.autograd.set_grad_enabled"),
    ("class A:\n    def step(self):\n        torch.enable_grad()", "uses torch.enable_grad"),
    ("torch.ones(1).sum().backward()", "calls backward outside of any function; training belongs to training_step"),
    # files by way of an object
    ("def f(x): x.numpy().tofile('x')", "uses .tofile: a train.py opens no file"),
]


@pytest.mark.parametrize(("snippet", "message"), REFUSED, ids=[snippet for snippet, _ in REFUSED])
def test_what_is_none_of_its_business_is_refused(snippet: str, message: str) -> None:
    said = refusal(with_snippet(snippet))
    assert message in said
    line = int(said.removeprefix("line ").partition(":")[0])
    assert line_of("module") <= line <= line_of("module") + snippet.count("\n")


@pytest.mark.parametrize(
    ("place", "snippet", "message"),
    [
        ("init", "self(torch.zeros(1)).sum().backward()", "calls backward in __init__; training belongs to training_step"),
        ("init", "self.optimizer.step(print)", "calls step in __init__"),
        ("init", "def loop():\n    self.scheduler.step()", "calls step in __init__"),
        ("forward", "torch.autograd.grad(tokens, tokens)", "calls torch.autograd.grad in forward"),
        ("forward", "with torch.enable_grad():\n    pass", "uses torch.enable_grad"),
        ("forward", "self.opt.step()", "calls step in forward"),
        ("configure_optimizers", "self.manual_backward(1)", "calls manual_backward in configure_optimizers"),
        ("methods", "def setup(self, stage):\n    f = lambda x: x.backward()", "calls backward in setup"),
        ("methods", "def on_train_start(self):\n    self.optimizers().step()", "calls step in on_train_start"),
        ("methods", "def on_train_end(self):\n    self.loss.backward()", "calls backward in on_train_end"),
        ("methods", "def train_dataloader(self):\n    return []", "defines train_dataloader: the harness makes the"),
        ("methods", "def configure_callbacks(self):\n    return []", "defines configure_callbacks: the harness makes"),
        ("training_step", "self.trainer.should_stop = True", "reaches into the Trainer; of it a train.py may read"),
        ("training_step", "self.trainer.global_step = 0", "reaches into the Trainer"),
        ("training_step", "trainer = self.trainer", "reaches into the Trainer"),
        ("training_step", "getattr(self, 'trainer').callbacks", "reaches into the Trainer"),
        ("training_step", "self._trainer.callbacks", "uses ._trainer: a train.py looks at nothing but its own model"),
        ("training_step", "self.to_onnx('x')", "uses .to_onnx: a train.py opens no file"),
    ],
)  # fmt: skip
def test_a_method_does_what_it_is_there_for(place: str, snippet: str, message: str) -> None:
    said = refusal(with_snippet(snippet, place))
    assert message in said
    line = int(said.removeprefix("line ").partition(":")[0])
    assert line_of(place) <= line <= line_of(place) + snippet.count("\n")


def test_the_first_problem_is_the_one_that_is_said() -> None:
    both = with_snippet("import sys").replace("        # forward\n", "        open('x')\n")
    assert refusal(both) == f"line {line_of('forward')}: uses open: a train.py opens no file, and reads and writes none"


def test_a_message_names_the_line_the_value_and_the_way_out() -> None:
    assert refusal(with_snippet("import os")) == (
        f"line {line_of('module')}: imports os; a train.py may import torch, autoresearch.attention, collections, "
        "contextlib, copy, dataclasses, enum, functools, itertools, lightning, math, optuna.distributions, triton, typing"
    )


# -- the contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class Hyperparameters:", "class Knobs:", "the file defines no class Hyperparameters; the contract asks for it"),
        ("class GPT(", "class GTP(", "the file defines no class GPT; the contract asks for it, a LightningModule, at"),
        ("@dataclass(frozen=True)", "@dataclass", "line 14: Hyperparameters is no frozen dataclass; write @dataclass(fr"),
        ("frozen=True", "frozen=False", "Hyperparameters is no frozen dataclass"),
        ("@dataclass(frozen=True)", "@torch.compile(frozen=True)", "Hyperparameters is no frozen dataclass"),
        ("(LightningModule)", "(nn.Module)", "line 21: GPT is no LightningModule; write class GPT(LightningModule)"),
        ("def training_step", "def training", "line 21: GPT has no method training_step; the contract asks for forward"),
        ("def forward", "def logits", "GPT has no method forward"),
        ("def configure_optimizers", "def optimizers", "GPT has no method configure_optimizers"),
        ("tokens: Tensor", "tokens, targets=None", "line 27: forward takes (self, tokens, targets), expected (self, tok"),
        ("tokens: Tensor", "tokens, *, targets=None", "the judge gives tokens alone, targets go to training_step"),
        ("tokens: Tensor", "tokens, *, cache", "anything else must be keyword-only with a default"),
        ("tokens: Tensor", "*tokens", "forward takes (self, *tokens), expected (self, tokens)"),
        ("self, tokens: Tensor", "self", "forward takes (self), expected (self, tokens)"),
    ],
)  # fmt: skip
def test_a_file_that_breaks_the_contract_is_refused(old: str, new: str, message: str) -> None:
    assert message in refusal(SMALL.replace(old, new, 1))


# -- sizes, and text that is no Python ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snippet", "message"),
    [
        ("def f(:", "the file is no valid Python: invalid syntax"),
        ("return 1", "the file is no valid Python: 'return' outside function"),
        ("x = '\0'", "a NUL byte"),
        ("x = '\ud800'", "a lone surrogate, which UTF-8 cannot hold"),
        ("x = (\n" + "1 + 1 +\n" * 150 + "1)", f"more than {MAX_DEPTH} levels inside one another; take it apart"),
        ("x = " + "(" * 300 + ")" * 300, "too many nested parentheses"),
        ("x = '" + "a" * 990 + "\\\n" + "b" * 1001 + "'", "1,002 characters, at most 1,000 are allowed; wrap it"),
        ("x = (\n" + ("'" + "a" * 900 + "'\n") * 3 + ")", "a string of 2,700 bytes, at most 2,000 are allowed; a train.py"),
        ("x = (\n" + ("b'" + "a" * 900 + "'\n") * 3 + ")", "a string of 2,700 bytes"),
        ("x = (\n" + ("'" + "\u4e2d" * 300 + "'\n") * 3 + ")", "a string of 2,700 bytes"),
        ("x = [\n" + ("'" + "a" * 900 + "',\n") * 30 + "]", "more than 20,000 bytes of strings in the file"),
        ("x = [\n" + "1.5, 2, 3,\n" * (MAX_NUMBERS // 3) + "]", f"more than {MAX_NUMBERS:,} numbers in the file"),
        ("x = 0x" + "f" * 17, "an integer of 68 bits, at most 64 are allowed; a train.py learns its numbers"),
        ("# comment\n" * (MAX_BYTES // 10), "bytes by its end, at most 100,000 are allowed; shorten it"),
    ],
    ids=range(14),
)  # fmt: skip
def test_text_that_is_too_large_or_no_python_gets_one_line(snippet: str, message: str) -> None:
    said = refusal(with_snippet(snippet))
    assert message in said
    assert said.startswith("line ")


@pytest.mark.parametrize("nest", ["-", "not ", "lambda: ", "[", "x if x else ", "f(", "a."])
def test_no_nesting_is_too_deep_for_an_answer(nest: str) -> None:
    lines = "\\\n".join([nest * (900 // len(nest))] * 60)
    assert "\n" not in refusal(with_snippet(f"x = {lines}1"))


def test_an_odd_escape_in_a_string_is_the_edit_s_own_affair() -> None:
    check_source(with_snippet("x = '\\d'"))


# -- the lists ---------------------------------------------------------------------------------------------------------


def allowed_here(module: str) -> types.ModuleType | None:
    try:
        return importlib.import_module(module)
    except ImportError:  # Triton needs a GPU's torch
        assert module.startswith("triton")
        return None


@pytest.mark.parametrize("module", sorted(OPEN - {"torch.ops"}))  # that makes a namespace of whatever it is asked for
def test_no_other_module_is_reached_through_an_open_one(module: str) -> None:
    found = allowed_here(module)
    for name, value in vars(found).items() if found else ():
        if isinstance(value, types.ModuleType) and f"{module}.{name}" not in MODULES:
            said = refusal(with_snippet(f"import {module}\nx = {module}.{name}.y"))
            assert f"uses {module}.{name}" in said


@pytest.mark.parametrize("module", sorted(ONLY))
def test_what_is_allowed_of_a_module_exists_and_is_no_module(module: str) -> None:
    found = allowed_here(module)
    for name in ONLY[module] if found else ():
        assert hasattr(found, name), name
        assert not isinstance(getattr(found, name), types.ModuleType), name


def test_the_check_needs_no_torch() -> None:
    script = (
        "import sys, json\n"
        "from autoresearch.static_check import check_source\n"
        f"check_source({SMALL!r})\n"
        "print(json.dumps(sorted({'torch', 'lightning', 'optuna', 'numpy'} & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
