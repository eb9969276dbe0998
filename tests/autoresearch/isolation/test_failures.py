"""Candidates that go wrong, each in its own way: what the supervisor makes of it."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from autoresearch.errors import Diverged, KnobError, OutOfMemory, OverBudget, SandboxError, TrialError
from autoresearch.isolation.limits import Limits
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.records import TrialSettings
from autoresearch.sandbox.enclosure import Enclosure
from autoresearch.sandbox.files import LEAST, landlock_version
from autoresearch.sandbox.grants import Grants
from autoresearch.sandbox.resources import Resources
from autoresearch.sandbox.sandbox import Sandbox

from .conftest import STEP, in_each_step, on_import, replacing

pytestmark = pytest.mark.slow
Make = Callable[..., TrialSettings]


def test_a_crash_names_the_line_and_keeps_the_traceback(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    given = settings(edit=in_each_step("raise ZeroDivisionError('no reason')"))
    with pytest.raises(TrialError, match=r"^train\.py failed: ZeroDivisionError: no reason \(line \d+\)$") as caught:
        supervisor.run(given, tmp_path / "trial")
    line = int(re.findall(r"line (\d+)\)$", str(caught.value))[0])
    assert "no reason" in given.source.read_text().splitlines()[line - 1]
    assert caught.value.tail.endswith("ZeroDivisionError: no reason\n")
    assert len(caught.value.tail) <= 4000


@pytest.mark.parametrize("error", ["MemoryError('8 EiB')", "torch.OutOfMemoryError('8 EiB')"])
def test_out_of_memory_has_a_class_of_its_own(
    supervisor: Supervisor, settings: Make, tmp_path: Path, error: str
) -> None:
    with pytest.raises(OutOfMemory, match="out of memory: 8 EiB; a smaller device_batch_size needs less memory"):
        supervisor.run(settings(edit=in_each_step(f"raise {error}")), tmp_path / "trial")


def test_divergence_has_a_class_of_its_own(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    poison = replacing(STEP, "        return self.head.weight.sum() * math.nan\n")
    with pytest.raises(Diverged, match="the run diverged: loss is nan at step 1"):
        supervisor.run(settings(edit=poison), tmp_path / "trial")


def test_who_leaves_without_a_word_has_crashed(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    leave = in_each_step("import os; print('good night', flush=True); os._exit(0)")
    with pytest.raises(TrialError, match="the process ended with exit code 0 before it had answered") as caught:
        supervisor.run(settings(edit=leave), tmp_path / "trial")
    assert caught.value.tail == "good night\n"


def test_a_segmentation_fault_leaves_its_traceback(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    fault = in_each_step("import ctypes; ctypes.string_at(0)")
    with pytest.raises(TrialError, match="the process was killed by SIGSEGV; see its log") as caught:
        supervisor.run(settings(edit=fault), tmp_path / "trial")
    assert "training_step" in caught.value.tail


def test_what_passes_every_except_is_a_crash_too(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    escape = in_each_step("raise type('Escape', (BaseException,), {})('out')")
    with pytest.raises(TrialError, match="exit code 1") as caught:
        supervisor.run(settings(edit=escape), tmp_path / "trial")
    assert "Escape: out" in caught.value.tail


def test_prints_are_no_messages_and_megabytes_of_them_no_obstacle(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    lie = '{"kind": "trained", "val_bpb": 0.1}'
    chatter = on_import(f"import sys\nfor _ in range(100_000): print('{lie}')\nprint('val_bpb: 0.1', file=sys.stderr)")
    result = supervisor.run(settings(edit=chatter), tmp_path / "trial")
    assert result.val_bpb > 1
    assert (tmp_path / "trial" / "log.txt").stat().st_size > 100_000 * len(lie)


def test_a_log_without_end_is_stopped(limited: Callable[..., Supervisor], settings: Make, tmp_path: Path) -> None:
    chatter = in_each_step("print('x' * 10_000)")
    with pytest.raises(TrialError, match="the run printed over 100000 bytes and was killed"):
        limited(log_bytes=100_000).run(settings(edit=chatter, steps=10**6), tmp_path / "trial")


def test_an_import_without_end_is_stopped(limited: Callable[..., Supervisor], settings: Make, tmp_path: Path) -> None:
    sleeper = settings(edit=on_import("import time; time.sleep(1e6)"))
    with pytest.raises(OverBudget, match="did not begin to train within 1 s"):
        limited(startup=1.0).run(sleeper, tmp_path / "trial")
    with pytest.raises(OverBudget, match="importing the file took over 1 s"):
        limited(inspection=1.0).knobs(sleeper.source, tmp_path / "trial")


def test_who_overstays_the_budget_is_killed(limited: Callable[..., Supervisor], settings: Make, tmp_path: Path) -> None:
    sleeper = in_each_step("if self.global_step == 2: import time; time.sleep(1e6)")
    began = time.monotonic()
    with pytest.raises(OverBudget, match=r"the run was still training 1\.7\d* s after it began and was killed"):
        limited(overstay=1.0, overstay_share=0.0).run(
            settings(edit=sleeper, steps=None, seconds=0.75), tmp_path / "trial"
        )
    assert time.monotonic() - began < 120


def test_who_gives_no_answer_is_killed(limited: Callable[..., Supervisor], settings: Make, tmp_path: Path) -> None:
    mute = replacing("        device = tokens.device.type\n", _IN_EVALUATION.format("import time; time.sleep(1e6)"))
    with pytest.raises(OverBudget, match="the run gave no logits within 2 s and was killed"):
        limited(answer=2.0).run(settings(edit=mute), tmp_path / "trial")


def test_who_answers_each_question_but_crawls_is_ended(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    crawl = replacing("        device = tokens.device.type\n", _IN_EVALUATION.format("import time; time.sleep(1.0)"))
    limits = Limits(answer=1.75, evaluation=1.75)  # enough for the one batch of each split, not for both
    with pytest.raises(OverBudget, match=r"the evaluation took more than 1\.75 s and was ended"):
        supervisor.run(settings(edit=crawl), tmp_path / "trial", also_test=True, limits=limits)


def test_logits_of_another_shape_have_no_score(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    crop = replacing("        device = tokens.device.type\n", _IN_EVALUATION.format("tokens = tokens[:, :-1]"))
    with pytest.raises(TrialError, match=r"logits have shape \(\d+, 31, 300\), expected \(\d+, 32, 300\)"):
        supervisor.run(settings(edit=crop), tmp_path / "trial")


def test_logits_that_are_not_finite_have_no_score(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    cap = "return self.SOFTCAP * torch.tanh(logits / self.SOFTCAP)"
    spoil = replacing(cap, "return logits / self.training")
    with pytest.raises(TrialError, match="not finite"):
        supervisor.run(settings(edit=spoil), tmp_path / "trial")


def test_a_log_that_was_taken_away_is_no_log(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    rid = in_each_step("import os; os.path.exists('log.txt') and (os.unlink('log.txt'), os.mkdir('log.txt')); 1 / 0")
    with pytest.raises(TrialError, match="ZeroDivisionError"):
        supervisor.run(settings(edit=rid), tmp_path / "trial")


def test_a_text_that_was_written_over_is_not_what_is_judged(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    forge = in_each_step("open('train.py', 'w').write('raise SystemExit')")
    assert supervisor.run(settings(edit=forge), tmp_path / "trial").val_bpb > 1


def test_more_rows_than_there_are_is_the_revision_s_mistake(
    supervisor: Supervisor, settings: Make, tmp_path: Path
) -> None:
    huge = settings().values | {"device_batch_size": 10**6, "total_batch_size": 32 * 10**6}
    with pytest.raises(KnobError, match="cannot make batches of 1000000 rows"):
        supervisor.run(settings(values=huge), tmp_path / "trial")


def test_a_process_that_sends_garbage_is_told_so(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    # The channel is no secret: a revision can find any object of its process.
    garbage = on_import(
        "import gc\nfor found in gc.get_objects():\n    if type(found).__name__ == 'Link':\n"
        "        found._channel.socket.sendall(b'\\0\\0\\0\\3\\x80\\x04.')"
    )
    with pytest.raises(TrialError, match="the run's process sent nonsense: a message that is no JSON"):
        supervisor.run(settings(edit=garbage), tmp_path / "trial")


def test_a_failure_spoils_nothing_for_the_next_trial(supervisor: Supervisor, settings: Make, tmp_path: Path) -> None:
    with pytest.raises(TrialError):
        supervisor.run(settings(edit=in_each_step("import os; os.abort()")), tmp_path / "bad")
    assert supervisor.run(settings(), tmp_path / "good").val_bpb > 1


# In the judge's questions only: the check of one row before training comes with the model in train mode.
_IN_EVALUATION = "        if not self.training:\n            {}\n        device = tokens.device.type\n"


@dataclasses.dataclass(frozen=True)
class Leaky:
    """A sandbox that has stopped to hold: it wants to hand over what is not there."""

    name: str = "leaky"

    def obstacle(self) -> str | None:
        return None

    def command(self, command: Sequence[str], grants: Grants) -> list[str]:
        return list(command)

    def enclosure(self, grants: Grants, resources: Resources) -> Enclosure:
        gone = dataclasses.replace(grants, readable=(Path("/no/such/place"),))
        return Enclosure.of(gone, resources, landlock=True, private=False)


@pytest.mark.skipif(landlock_version() < LEAST, reason="the kernel has no Landlock")
def test_a_sandbox_that_holds_no_more_is_no_revision_s_fault(settings: Make, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    sandbox = Sandbox.for_study(Leaky(), tmp_path / "study", devices=False, hidden=[])
    with (
        Supervisor(tmp_path / "study" / "cache", rehearse=False, sandbox=sandbox) as supervisor,
        pytest.raises(SandboxError, match=r"could not enclose itself: .*no/such/place.*autoresearch doctor"),
    ):
        supervisor.run(settings(), tmp_path / "study" / "trial")
