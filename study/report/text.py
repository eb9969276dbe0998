"""A summary in plain lines: the end of `optimize`, and what `status` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..records import OPEN, SEARCH_KINDS, Kind, Status
from ..search.noise import Gain
from .confirmation import Confirmation, Verdict
from .described import shortened
from .figures import bpb, duration, signed
from .speed import TOLERANCE
from .summary import Step, Summary

_WIDTH = 12  # of the names on the left
_LONGEST, _SHORTER = 66, 30  # characters of what was tried, on a line of its own and after the figures

_WORDS = {
    Status.KEEP: "kept",
    Status.DISCARD: "discarded",
    Status.CRASH: "crashed",
    Status.OOM: "out of memory",
    Status.OVER_BUDGET: "over budget",
    Status.CHEAT: "caught cheating",
}
_VERDICTS = {
    Verdict.REAL: "it holds on fresh seeds, on both splits (paired t-test, 95 %)",
    Verdict.IN_DOUBT: "it holds on one of the splits only (paired t-test, 95 %)",
    Verdict.NOISE: "no gain can be claimed (paired t-test, 95 %)",
    Verdict.NO_GAIN: "on fresh seeds it is no better than the baseline",
    Verdict.UNDECIDED: "that takes at least two pairs of runs",
}


def summary_lines(summary: Summary, confirm_with: str) -> list[str]:
    """The summary for people.

    Args:
        summary: The summary.
        confirm_with: The command that runs what confirmation is missing.
    """
    return [
        *_trials(summary.counts),
        *_noise(summary),
        *_best(summary),
        *claim_lines(summary, confirm_with),
        *_time(summary),
        *_promotions(summary.steps),
    ]


def line(name: str, what: str) -> str:
    """One line with its name on the left."""
    return f"{name:<{_WIDTH}}{what}".rstrip()


def _trials(counts: Mapping[Kind, Mapping[Status, int]]) -> Iterator[str]:
    if not counts:
        yield line("trials", "none yet")
    else:
        open_now = sum(statuses.get(status, 0) for statuses in counts.values() for status in OPEN)
        total = sum(sum(statuses.values()) for statuses in counts.values()) - open_now
        yield line("trials", f"{total}, and {open_now} running" if open_now else str(total))
    for kind, statuses in counts.items():
        yield line(f"  {kind}", _in_words(statuses))


def _in_words(statuses: Mapping[Status, int]) -> str:
    """As in `12: 3 kept, 9 discarded`."""
    total = sum(statuses.values())
    if list(statuses) == [Status.MEASURED]:
        return str(total)
    return f"{total}: {', '.join(f'{count} {_WORDS.get(status, status)}' for status, count in statuses.items())}"


def _noise(summary: Summary) -> Iterator[str]:
    baseline = summary.baseline
    if baseline is not None:
        several = "" if baseline.sd is None else f" ± {bpb(baseline.sd)} (standard deviation of {baseline.runs} seeds)"
        yield line("baseline", f"{bpb(baseline.mean)}{several or ', one run'}")
    if summary.sigma is not None:
        yield line("noise", f"{bpb(summary.sigma)} from seed to seed, estimated from all repeated runs")


def _best(summary: Summary) -> Iterator[str]:
    incumbent = summary.incumbent
    if incumbent is None:
        return
    if incumbent.version == 0:
        tried = any(kind in SEARCH_KINDS for kind in summary.counts)
        yield line("best", "the baseline: no trial beat it by more than the noise" if tried else "the baseline, so far")
        return
    step = summary.steps[-1]
    yield line("best", f"{bpb(incumbent.val_bpb)} in trial {incumbent.number}, revision {incumbent.revision[:8]}")
    yield line("", f"{step.kind}: {shortened(step.title, _LONGEST)}")
    if summary.gain is not None:
        sigmas = f", {summary.gain / summary.sigma:.1f} times the noise" if summary.sigma else ""
        yield line("gain", f"{signed(summary.gain)} over the baseline on the same seed{sigmas}")


def claim_lines(summary: Summary, confirm_with: str) -> Iterator[str]:
    """What may be claimed of the incumbent, and why."""
    if summary.incumbent is None or summary.incumbent.version == 0:
        return
    confirmation = summary.confirmation
    if confirmation is None or not confirmation.pairs:
        yield line("confirmed", _why_not(summary))
        yield line("", "the best of many noisy scores flatters itself: do not quote it yet")
    else:
        yield line("confirmed", f"against the baseline {_on_seeds(confirmation)}, ± standard error")
        yield line("  val", f"gain {_with_error(confirmation.val)}")
        yield line("  test", f"gain {_with_error(confirmation.test)}, on the split that the search never saw")
        yield line("verdict", f"{confirmation.verdict}: {_VERDICTS[confirmation.verdict]}")
    if confirmation is None or confirmation.missing:
        yield line("", f"to confirm: {confirm_with}")


def _why_not(summary: Summary) -> str:
    confirmation, outdated = summary.confirmation, summary.outdated
    if confirmation is not None:
        return f"no: of {confirmation.wanted} fresh seeds {_incomplete(confirmation)}"
    if outdated is not None:
        return f"no, only an incumbent before it, version {outdated.version} ({outdated.verdict})"
    return "no"


def _on_seeds(confirmation: Confirmation) -> str:
    seeds = f"on {confirmation.pairs} fresh seed{'s' if confirmation.pairs != 1 else ''}"
    return seeds if confirmation.pairs == confirmation.wanted else f"{seeds} ({_incomplete(confirmation)})"


def _incomplete(confirmation: Confirmation) -> str:
    parts = ((confirmation.missing, "missing"), (confirmation.failed, "failed"))
    return ", ".join(f"{count} {word}" for count, word in parts if count)


def _with_error(gain: Gain | None) -> str:
    if gain is None:
        return "unknown"
    return signed(gain.mean) if gain.standard_error is None else f"{signed(gain.mean)} ± {bpb(gain.standard_error)}"


def _time(summary: Summary) -> Iterator[str]:
    if summary.share_in_budget is not None:
        share, clock = f"{100 * summary.share_in_budget:.1f} %", duration(summary.wall_seconds)
        yield line("time", f"{clock}, of which {share} inside training budgets")
    if summary.odd_speeds:
        numbers = ", ".join(str(number) for number in summary.odd_speeds)
        yield line("speed", f"over {TOLERANCE:.0%} off the tokens/s of their like: {shortened(numbers, _LONGEST)}")
        yield line("", "the machine was busy or hot then, which moves val_bpb more than a seed does")


def _promotions(steps: tuple[Step, ...]) -> Iterator[str]:
    """Version, trial, kind, val_bpb, gain over the one before, title."""
    width = max((len(str(step.number)) for step in steps), default=0)
    for number, step in enumerate(steps):
        what = f"{step.kind:<6}  {bpb(step.val_bpb)}  {signed(step.gain)}  {shortened(step.title, _SHORTER)}"
        yield line("promotions" if number == 0 else "", f"v{step.version:<3} trial {step.number:>{width}}  {what}")
