"""The conversation with one candidate, as the judge leads it: every wait has a deadline, every answer is checked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import torch
from torch import Tensor

from autoresearch.bpb import expect_shape
from autoresearch.errors import (
    AutoresearchError,
    Diverged,
    KnobError,
    OutOfMemory,
    OverBudget,
    RevisionError,
    SandboxError,
    TrialError,
)
from autoresearch.knobs import Knob
from autoresearch.progress import Progress

from .death import log_tail, obituary, oom_kills
from .feeder import Feeder
from .inbox import Closed, Inbox, Letter
from .limits import Limits
from .log_size import log_size
from .messages import Enclosed, Failed, Finished, Knobs, Logits, Message, Ready, Trained, Training, one_line
from .nursery import Candidate
from .slate import Slate

# What a candidate's failure may be; anything else is a plain TrialError.
_FAILURES: dict[str, type[AutoresearchError]] = {
    error.__name__: error for error in (RevisionError, KnobError, OutOfMemory, Diverged)
}  # no DataError: the data were looked at before, so it is the revision's batch that they do not hold
_LOOK_AFTER = 1.0  # seconds between two looks at what it prints and uses, at the most
_ENCLOSED_WITHIN = 60.0  # seconds; it takes milliseconds
_FAILED = 1  # the exit code of a candidate that fails by itself
_LAST_BREATH = 10.0  # seconds in which a process that has closed its channel should end

M = TypeVar("M", bound=Message)


class Session:
    """Talks to a candidate, and ends it."""

    def __init__(self, candidate: Candidate, log: Path, limits: Limits, feeder: Feeder | None = None) -> None:
        self._candidate, self._log, self._limits = candidate, log, limits
        self._inbox = Inbox(candidate.channel, feeder)
        self._oom_kills = oom_kills()
        self._looked = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._candidate.end()  # before the channel, at whose end it would end itself, and leave its children to nobody
        self._inbox.close()

    def knobs(self, job: dict[str, Any]) -> dict[str, Knob]:
        """Have a revision inspected."""
        self._give(job)
        seconds = self._limits.inspection
        return self._expect(Knobs, seconds, f"importing the file took over {seconds:g} s")[0].knobs

    def train(
        self, job: dict[str, Any], allowed: float, watch: Callable[[Progress], None] | None
    ) -> tuple[Trained, float]:
        """Have a revision trained; the feeder hands out the batches meanwhile.

        Returns:
            What the candidate says of it, and when it said so by this process's clock.
        """
        self._give(job)
        seconds = self._limits.startup
        late = f"the run did not begin to train within {seconds:g} s; loading, building or compiling took too long"
        _, began = self._expect(Training, seconds, late)
        late = f"the run was still training {allowed:g} s after it began and was killed"
        return self._expect(Trained, began + allowed - time.monotonic(), late, watch)

    def build(self, job: dict[str, Any], deadline: float) -> None:
        """Have a trained model built again from its weights, before the deadline for the whole evaluation."""
        self._give(job)
        seconds = max(0.0, min(self._limits.startup, deadline - time.monotonic()))
        self._expect(Ready, seconds, f"the trained model could not be built again within {seconds:.0f} s")

    def forward(self, slate: Slate, device: torch.device, deadline: float) -> Callable[[Tensor], Tensor]:
        """The candidate's model as the judge knows it: tokens `(B, T)` to logits `(B, T, V)`. It has until the deadline for all."""
        limits = self._limits
        slow = f"the run gave no logits within {limits.answer:g} s and was killed"
        over = f"the evaluation took more than {limits.evaluation:g} s and was ended"

        def ask(tokens: Tensor) -> Tensor:
            slate.write_tokens(tokens)
            self._send({"ask": "logits", "rows": len(tokens)})
            left = deadline - time.monotonic()
            answer, _ = self._expect(Logits, min(limits.answer, left), slow if limits.answer < left else over)
            expect_shape(answer.shape, (*tokens.shape, slate.shape.vocab_size))
            return slate.read_logits(len(tokens), answer.dtype, device)

        return ask

    def finish(self) -> Finished:
        """Say that there are no more questions."""
        self._send({"ask": "nothing"})
        seconds = self._limits.answer
        return self._expect(Finished, seconds, f"the run did not end within {seconds:g} s and was killed")[0]

    def _give(self, job: dict[str, Any]) -> None:
        """Say what the job is, once the process has enclosed itself: what goes wrong before is no revision's fault.

        Raises:
            SandboxError: It could not.
        """
        letter = self._inbox.take(time.monotonic() + _ENCLOSED_WITHIN)
        match letter and letter.content:
            case Enclosed():
                self._send(job)
            case Closed(complaint=None) if (status := self._candidate.wait(_LAST_BREATH)) != _FAILED:
                raise obituary(status, self._log, self._oom_kills)  # killed, that is
            case _:
                last = one_line(log_tail(self._log).strip().rpartition("\n")[2]) or "it said nothing"
                raise SandboxError(f"a trial's process could not enclose itself: {last}; see `autoresearch doctor`")

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it is dead, and the next wait will find out how it died
            self._candidate.channel.send(message)

    def _expect(
        self, kind: type[M], seconds: float, late: str, watch: Callable[[Progress], None] | None = None
    ) -> tuple[M, float]:
        """Wait for the one message that may come now; with `watch`, also for progress."""
        deadline = time.monotonic() + seconds
        while True:
            letter = self._inbox.take(min(deadline, time.monotonic() + _LOOK_AFTER))
            self._look_after()
            if letter is None and time.monotonic() < deadline:
                continue
            if letter is None or letter.at > deadline:
                raise OverBudget(late, log_tail(self._log))
            match letter.content:
                case Progress() as progress if kind is Trained:
                    if watch is not None:
                        watch(progress)
                case content if isinstance(content, kind):
                    return content, letter.at
                case _:
                    raise self._failure(letter)

    def _look_after(self) -> None:
        """Raise where it uses more of the machine than it may; to look takes milliseconds, so not at every answer."""
        now = time.monotonic()
        if now - self._looked < _LOOK_AFTER:
            return
        self._looked = now
        if (excess := self._candidate.excess()) is not None:
            error = OutOfMemory if "of memory" in excess else TrialError
            raise error(f"the run was killed: {excess}", log_tail(self._log))
        if log_size(self._log) > self._limits.log_bytes:
            raise TrialError(f"the run printed over {self._limits.log_bytes} bytes and was killed", log_tail(self._log))

    def _failure(self, letter: Letter) -> AutoresearchError:
        match letter.content:
            case Failed(error=error, message=message, tail=tail):
                return _FAILURES.get(error, TrialError)(message, tail)
            case Closed(complaint=None):
                return obituary(self._candidate.wait(_LAST_BREATH), self._log, self._oom_kills)
            case Closed(complaint=complaint):
                return self._nonsense(str(complaint))
            case other:
                return self._nonsense(f"a message of kind {type(other).__name__} out of turn")

    def _nonsense(self, complaint: str) -> TrialError:
        return TrialError(f"the run's process sent nonsense: {complaint}", log_tail(self._log))
