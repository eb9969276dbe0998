"""What an edit must survive before its trial: real children of a real supervisor, on edits that are good and on others."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.errors import Cheat, Diverged, OutOfMemory, OverBudget, RevisionError, SandboxError, TrialError
from autoresearch.isolation.environment import clean_environment
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.presets import PRESETS, retarget
from autoresearch.revision import load, package_source
from autoresearch.sandbox.choose import choose
from autoresearch.sandbox.sandbox import Sandbox
from autoresearch.study.edits import sha256_of
from autoresearch.study.preflight import LIMITS, Preflight
from autoresearch.study.records import Revision
from autoresearch.study.settings import StudySettings

pytestmark = pytest.mark.slow

SOURCE = retarget(package_source(), PRESETS["cpu"])
INIT = "        self.initialise()\n"
STEP = "        tokens, targets = batch  # (B, T) int64 each\n"
LAYER = "            x = block(x, tokens, cos, sin)\n"
TINY = {"depth": 2, "aspect_ratio": 32, "head_dim": 32}


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    cache = tmp_path_factory.mktemp("cache")
    with Supervisor(cache, rehearse=False, compiles=False, background=True) as running:
        yield running


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Revision:
    path = tmp_path_factory.mktemp("base") / "train.py"
    path.write_text(SOURCE, encoding="utf-8")
    return Revision(sha256_of(SOURCE), SOURCE, load(path).knobs)


def settings_of(dataset: Dataset) -> StudySettings:
    return StudySettings(
        preset="cpu",
        seconds=60.0,
        steps=None,
        data="sentences",
        fingerprint=dataset.fingerprint,
        vocab_size=dataset.vocab_size,
        context=dataset.context,
        eval_tokens=2**20,
        device="cuda",
        machine="some GPU",
        precision="32-true",
        compiled=True,
        seed=0,
        torch="2.13",
    )


LITTER = "from pathlib import Path as P\nP('given.py').mkdir(exist_ok=True)\nP('trial').write_text('mine')\n"


def test_what_a_text_leaves_in_the_folder_is_in_nobody_s_way(checked: Callable[..., Preflight]) -> None:
    checked(SOURCE + LITTER)


def test_what_a_killed_worker_left_goes_and_what_another_one_is_at_stays(
    supervisor: Supervisor, tiny_dataset: Dataset, tmp_path: Path
) -> None:
    left, at_work = tmp_path / "preflight-left", tmp_path / "preflight-at-work"
    for folder in (left, at_work):
        (folder / "trial").mkdir(parents=True)
    os.utime(left, (0, 0))
    Preflight(lambda: supervisor, tiny_dataset, settings_of(tiny_dataset), tmp_path).knobs(SOURCE)
    assert [path.name for path in tmp_path.iterdir()] == [at_work.name]


@pytest.fixture
def checked(supervisor: Supervisor, tiny_dataset: Dataset, base: Revision, tmp_path: Path) -> Callable[..., Preflight]:
    """Checks a text with the values of a small model; the folder is empty afterwards."""
    folder = tmp_path / "checks"

    def check(source: str, **limits: float) -> Preflight:
        allowed = dataclasses.replace(LIMITS, **limits)  # type: ignore[arg-type]
        preflight = Preflight(lambda: supervisor, tiny_dataset, settings_of(tiny_dataset), folder, allowed)
        values = {name: knob.default for name, knob in base.knobs.items()} | TINY
        try:
            preflight.check(source, values, base)
        finally:
            assert list(folder.iterdir()) == []
        return preflight

    return check


def edited(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1
    return SOURCE.replace(old, new)


def in_each_step(*lines: str) -> str:
    return edited(STEP, "".join(f"        {line}\n" for line in lines) + STEP)


def test_a_good_edit_passes_and_its_knobs_are_known_without_another_process(
    supervisor: Supervisor, tiny_dataset: Dataset, base: Revision, tmp_path: Path
) -> None:
    asked = []

    def counted() -> Supervisor:
        asked.append(1)
        return supervisor

    text = edited("SOFTCAP = 15.0", "SOFTCAP = 12.0")
    preflight = Preflight(counted, tiny_dataset, settings_of(tiny_dataset), tmp_path)
    values = {name: knob.default for name, knob in base.knobs.items()} | TINY
    assert preflight.check(text, values) == base.knobs
    asked.clear()
    assert preflight.knobs(text) == base.knobs
    assert not asked
    assert preflight.knobs(SOURCE) == base.knobs
    assert asked


def test_the_study_s_own_precision_is_tried(
    supervisor: Supervisor, tiny_dataset: Dataset, base: Revision, tmp_path: Path
) -> None:
    mixed = dataclasses.replace(settings_of(tiny_dataset), precision="bf16-mixed")
    preflight = Preflight(lambda: supervisor, tiny_dataset, mixed, tmp_path)
    values = {name: knob.default for name, knob in base.knobs.items()} | TINY
    assert preflight.check(SOURCE, values) == base.knobs
    mixes_types = "x = x.scatter(-1, torch.zeros_like(tokens)[..., None], torch.ones(*tokens.shape, 1))"
    with pytest.raises(TrialError, match=r"scatter\(\): Expected self\.dtype to be equal to src\.dtype"):
        preflight.check(edited(LAYER, f"            {mixes_types}\n{LAYER}"), values)


def test_a_crash_while_the_model_is_built(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(TrialError) as caught:
        checked(edited(INIT, "        raise ValueError('no such width')\n"))
    assert re.fullmatch(
        r"in the check before its trial \(two steps of one row on the CPU\): "
        r"train\.py failed: ValueError: no such width \(line \d+\)",
        str(caught.value),
    )
    assert 'File "' in caught.value.tail
    assert caught.value.tail.endswith("ValueError: no such width\n")
    assert "checks/" not in caught.value.tail


def test_a_crash_in_the_second_step(checked: Callable[..., Preflight]) -> None:
    counter = f"        self.register_buffer('seen', torch.zeros(()))\n{INIT}"
    text = in_each_step("self.seen += 1", "assert self.seen < 2, 'the second step'").replace(INIT, counter)
    with pytest.raises(TrialError, match="AssertionError: the second step"):
        checked(text)
    checked(text.replace("self.seen < 2", "self.seen < 3"))


def test_a_model_that_sees_what_comes_after(checked: Callable[..., Preflight]) -> None:
    attention = "causal_attention(q, k, v, self.window).flatten(2)"
    both_ways = "F.scaled_dot_product_attention(*(a.transpose(1, 2) for a in (q, k, v))).transpose(1, 2).flatten(2)"
    with pytest.raises(Cheat, match="a position must not depend on later tokens"):
        checked(edited(attention, both_ways))


def test_a_loss_that_is_no_number(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(Diverged, match="the run diverged: loss is nan at step 1"):
        checked(edited(STEP, "        return self.head.weight.sum() * math.nan\n"))


def test_a_model_that_is_never_built(checked: Callable[..., Preflight]) -> None:
    began = time.monotonic()
    with pytest.raises(OverBudget, match="did not begin to train within 2 s"):
        checked(edited(INIT, "        while True:\n            pass\n"), startup=2.0)
    assert time.monotonic() - began < 60


def test_a_file_that_cannot_be_imported(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(
        RevisionError, match=r"in the check before its trial .*NameError: name 'nothing' is not defined"
    ):
        checked(f"{SOURCE}\nnothing\n")


def test_want_of_memory(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(OutOfMemory, match="out of memory: 8 EiB"):
        checked(in_each_step("raise MemoryError('8 EiB')"))


def test_output_without_end(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(TrialError, match="the run printed over 100000 bytes and was killed"):
        checked(in_each_step("while True: print('x' * 1000)"), log_bytes=100_000)


def test_a_batch_knob_that_is_gone(checked: Callable[..., Preflight]) -> None:
    [line] = re.findall(r"^    device_batch_size: .*\n", SOURCE, re.MULTILINE)
    with pytest.raises(RevisionError, match="must declare the knob device_batch_size, an int"):
        checked(edited(line, ""))


def test_a_batch_knob_whose_range_stands_elsewhere(checked: Callable[..., Preflight]) -> None:
    [range_] = re.findall(r"^    device_batch_size: Annotated\[int, (.*)\] =", SOURCE, re.MULTILINE)
    text = edited(f"device_batch_size: Annotated[int, {range_}]", "device_batch_size: Annotated[int, ROWS]")
    with pytest.raises(RevisionError, match="cannot replace the range of knob 'device_batch_size': expected it in the"):
        checked(text.replace("@dataclass(frozen=True)\n", f"ROWS = {range_}\n\n\n@dataclass(frozen=True)\n", 1))


def test_a_batch_knob_with_a_range_of_another_kind(checked: Callable[..., Preflight]) -> None:
    [range_] = re.findall(r"^    device_batch_size: Annotated\[int, (.*)\] =", SOURCE, re.MULTILINE)
    checked(edited(f"device_batch_size: Annotated[int, {range_}]", "device_batch_size: Annotated[int, Int(1, 64)]"))


def test_the_knobs_have_their_parent_s_values_but_for_a_default_that_was_changed(
    checked: Callable[..., Preflight],
) -> None:
    told = "assert False, f'depth {self.hp.depth} width {self.hp.aspect_ratio} rows {self.hp.device_batch_size}'"
    [depth] = re.findall(r"^    depth: .*\n", SOURCE, re.MULTILINE)
    with pytest.raises(TrialError, match="depth 2 width 32 rows 1"):
        checked(in_each_step(told))
    with pytest.raises(TrialError, match="depth 3 width 32 rows 1"):
        checked(in_each_step(told).replace(depth, re.sub(r"= \d+", "= 3", depth)))


def test_it_gives_way_to_others_and_takes_one_thread(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(TrialError, match=r"niceness 1\d and 1 threads"):
        checked(
            in_each_step("import os", "assert False, f'niceness {os.nice(0)} and {torch.get_num_threads()} threads'")
        )


def test_a_failure_spoils_nothing_for_the_next_check(checked: Callable[..., Preflight]) -> None:
    with pytest.raises(TrialError, match="SIGABRT"):
        checked(in_each_step("import os; os.abort()"))
    checked(SOURCE)


def test_it_works_in_the_sandbox_of_the_trials(
    tiny_dataset: Dataset, base: Revision, tmp_path_factory: pytest.TempPathFactory
) -> None:
    studies = tmp_path_factory.mktemp("studies")
    try:
        rung = choose(studies, "cpu", clean_environment).rung
    except SandboxError as error:
        pytest.skip(str(error))
    study = studies / "study"
    sandbox = Sandbox.for_study(rung, study, devices=False, hidden=[])
    values = {name: knob.default for name, knob in base.knobs.items()} | TINY
    with Supervisor(study / "compiled", rehearse=False, compiles=False, sandbox=sandbox, background=True) as supervisor:
        preflight = Preflight(lambda: supervisor, tiny_dataset, settings_of(tiny_dataset), study / "checks")
        assert preflight.check(SOURCE, values, base) == base.knobs
        with pytest.raises(TrialError, match=r"(PermissionError|FileNotFoundError|ReadOnly|OSError)"):
            preflight.check(in_each_step(f"open({str(studies / 'outside')!r}, 'w')"), values, base)
