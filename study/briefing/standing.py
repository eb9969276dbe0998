"""Where the study stands: every number of it as `study status` and `study show` have it."""

from __future__ import annotations

from collections.abc import Iterator

from ..records import Kind, Status, TrialRecord
from ..report.figures import bpb, memory_gib_of, signed
from ..report.speed import TOLERANCE
from ..suspicion import implausible_gain
from .quoting import fitted
from .snapshot import Snapshot

STANDING_BYTES = 5_000
_ODD_SHOWN = 20  # trials that ran at another speed


def standing(snapshot: Snapshot) -> str:
    """One fact a line."""
    lines, _ = fitted([f"- {line}" for line in _lines(snapshot)], STANDING_BYTES)
    return "\n".join(["# Where the study stands", "", *lines])


def figures(trial: TrialRecord) -> str:
    """What a trial with a score was like: its speed, its size, its memory."""
    found, parts = trial.result, []
    if "steps" in found and "tokens" in found:
        parts.append(f"{found['steps']:,} steps, {found['tokens']:,} tokens")
    if found.get("tokens_per_second") is not None:
        parts.append(f"{found['tokens_per_second']:,.0f} tokens/s")
    if found.get("mfu_percent") is not None:
        parts.append(f"MFU {found['mfu_percent']:.1f} %")
    if (memory := memory_gib_of(trial)) is not None:
        parts.append(f"{memory:.2f} GiB at the peak")
    if "parameters" in found:
        parts.append(f"{found['parameters']:,} parameters")
    return ", ".join(parts)


def _lines(snapshot: Snapshot) -> Iterator[str]:
    summary, incumbent = snapshot.summary, snapshot.incumbent
    yield from _baseline(snapshot)
    sigmas = (
        f", {summary.gain / summary.sigma:.1f} times the noise" if summary.gain is not None and summary.sigma else ""
    )
    gain = f"; gain {signed(summary.gain)} over the baseline on the same seed{sigmas}" if incumbent.version else ""
    what = f"version {incumbent.version}, trial {incumbent.number}" if incumbent.version else "the baseline, still"
    yield f"Incumbent: val_bpb {bpb(incumbent.val_bpb)}, {what}, revision {snapshot.code.short}{gain}."
    yield from _noise(snapshot)
    yield from _figures(snapshot)
    counted = (
        f"{kind} {sum(statuses.values())} ({', '.join(f'{count} {status}' for status, count in statuses.items())})"
        for kind, statuses in summary.counts.items()
    )
    yield f"Trials so far: {'; '.join(counted)}."
    if summary.share_in_budget is not None:
        yield f"Of the workers' time {100 * summary.share_in_budget:.1f} % was inside training budgets."
    if summary.odd_speeds:
        odd = [f"{number} ({share:+.0%})" for number, share in summary.odd_speeds.items()][-_ODD_SHOWN:]
        yield (
            f"Ran over {TOLERANCE:.0%} faster or slower than their like, for a reason outside of the code: trials "
            f"{', '.join(odd)}. Their scores say less."
        )


def _baseline(snapshot: Snapshot) -> Iterator[str]:
    first = next(promotion for promotion in snapshot.promotions if promotion.version == 0)
    baseline = snapshot.summary.baseline
    over = ""
    if baseline is not None and baseline.sd is not None:
        over = f"; {bpb(baseline.mean)} ± {bpb(baseline.sd)} over {baseline.runs} seeds (mean, standard deviation)"
    yield f"Baseline: val_bpb {bpb(first.val_bpb)} in trial {first.number}{over}."


def _noise(snapshot: Snapshot) -> Iterator[str]:
    sigma, counts = snapshot.summary.sigma, snapshot.summary.counts
    if sigma is None:
        yield "Noise: not measured; the baseline ran once."
    else:
        runs = [
            f"{counts[kind][Status.MEASURED]} {word}"
            for kind, word in ((Kind.BASELINE, "runs of the baseline"), (Kind.CONFIRM, "runs that confirm"))
            if Status.MEASURED in counts.get(kind, {})
        ]
        yield (
            f"Noise: {bpb(sigma)}, the standard deviation of val_bpb between seeds, all else equal; pooled from "
            f"{' and '.join(runs)}."
        )
    if (threshold := snapshot.threshold) is not None:
        whose = "the noise" if snapshot.min_delta is None else "set by the user"
        yield f"An edit is kept if its gain over the incumbent is more than {bpb(threshold)} ({whose})."
    if (most := implausible_gain(snapshot.history, snapshot.max_gain)) < float("inf"):
        yield f"A gain of more than {bpb(most)} is run again on another seed, and the worse score counts."


def _figures(snapshot: Snapshot) -> Iterator[str]:
    first = next(promotion.number for promotion in snapshot.promotions if promotion.version == 0)
    for name, number in (("baseline", first), ("incumbent", snapshot.incumbent.number)):
        if name == "baseline" or number != first:
            trial = snapshot.trials[number]
            yield f"The {name}'s trial: {figures(trial)}{_times(trial)}."


def _times(trial: TrialRecord) -> str:
    names = {
        "training_seconds": "training",
        "warmup_seconds": "compiling and warming up",
        "startup_seconds": "the rest of the start-up",
        "eval_seconds": "evaluation",
    }
    parts = [f"{trial.result[key]:.1f} s of {word}" for key, word in names.items() if trial.result.get(key) is not None]
    epochs = trial.result.get("epochs")
    return "".join(f", {part}" for part in parts) + (f", {epochs:.2f} epochs" if epochs is not None else "")
