"""The small parts: shared memory, the environment, words for a death."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import torch

from autoresearch.errors import OutOfMemory
from autoresearch.isolation.death import log_tail, obituary, oom_kills
from autoresearch.isolation.environment import clean_environment
from autoresearch.isolation.limits import Limits
from autoresearch.isolation.slate import Slate, SlateShape, new_slate

SHAPE = SlateShape(rows=3, context=5, vocab_size=7)
CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_tokens_go_one_way_and_logits_the_other(dtype: torch.dtype) -> None:
    with new_slate(SHAPE) as (descriptor, here):
        there = Slate(descriptor, SHAPE)
        tokens = torch.randint(7, (2, 5), generator=torch.Generator().manual_seed(0))
        here.write_tokens(tokens)
        assert torch.equal(there.read_tokens(2), tokens)
        logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(1)).to(dtype)
        name = there.write_logits(logits)
        assert name == ("bfloat16" if dtype == torch.bfloat16 else "float32")
        assert torch.equal(here.read_logits(2, name, CPU).float(), logits.float())
        assert torch.equal(there.read_tokens(2), tokens)


def test_logits_that_were_read_cannot_be_changed_any_more() -> None:
    with new_slate(SHAPE) as (descriptor, here):
        there = Slate(descriptor, SHAPE)
        there.write_logits(torch.zeros(3, 5, 7))
        read = here.read_logits(3, "float32", CPU)
        there.write_logits(torch.ones(3, 5, 7))
        assert read.sum() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can seal a file's size")
def test_nobody_can_cut_the_slate_off_under_its_reader() -> None:
    with new_slate(SHAPE) as (descriptor, _), pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)


def test_a_clean_environment_is_a_list_of_what_is_needed(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "1",
        "OMP_NUM_THREADS": "2",
        "LC_ALL": "C",
        "TMPDIR": "/somewhere",
        "HOME": "/home/me",
        "TORCHINDUCTOR_CACHE_DIR": "/elsewhere",
        "OPTUNA_STORAGE": "postgresql://me:pw@host/db",
        "ANTHROPIC_API_KEY": "x",
        "CUDA_API_KEY": "x",
        "TORCH_TOKEN": "x",
        "EDITOR": "vi",
        "MASTER_ADDR": "host",
    }
    clean = clean_environment(tmp_path, given)
    kept = {name for name, value in clean.items() if given.get(name) == value}
    assert kept == {"PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "LC_ALL"}
    folders = {"HOME", "TMPDIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"}
    others = {"PYTHONUSERBASE", "GOMP_SPINCOUNT", "PYTORCH_NVML_BASED_CUDA_CHECK"}
    others |= {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
    assert clean.keys() - kept == folders | others
    assert all(Path(clean[name]).is_relative_to(tmp_path) for name in folders)


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "MALLOC_TRIM_THRESHOLD_"])
def test_what_the_user_says_about_threads_and_memory_stands(tmp_path: Path, name: str) -> None:
    assert clean_environment(tmp_path, {name: "7"})[name] == "7"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "the process ended with exit code 0 before it had answered"),
        (-signal.SIGSEGV, "the process was killed by SIGSEGV"),
        (-signal.SIGKILL, "the process was killed by SIGKILL, perhaps for want of memory"),
        (None, "the process went silent without an answer"),
    ],
)
def test_each_death_has_its_words(tmp_path: Path, status: int | None, words: str) -> None:
    (tmp_path / "log").write_text("the last words\n")
    error = obituary(status, tmp_path / "log", oom_kills())
    assert str(error).startswith(words)
    assert error.tail == "the last words\n"
    assert not isinstance(error, OutOfMemory)


@pytest.mark.skipif(oom_kills() is None, reason="this kernel does not count")
def test_a_kill_by_the_kernel_is_out_of_memory(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    error = obituary(-signal.SIGKILL, tmp_path / "log", -1)  # one more since
    assert isinstance(error, OutOfMemory)


def test_the_tail_is_the_end_and_of_a_fault_the_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 100_000 + b"\xff\0end\n")
    assert log_tail(log).endswith("x\ufffd end\n")
    assert len(log_tail(log)) == 4000
    log.write_bytes(b"x" * 100_000 + b"Fatal Python error: Aborted\n" + b"y" * 9000)
    assert log_tail(log).startswith("Fatal Python error: Aborted\nyyy")


def test_a_budget_has_some_seconds_or_a_share_on_top() -> None:
    assert Limits().training(20.0, None) == 30.0
    assert Limits().training(300.0, None) == 330.0
    assert Limits(steps=5.0).training(300.0, 10) == 5.0
