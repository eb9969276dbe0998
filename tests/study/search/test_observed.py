import pytest

from autoresearch.study.records import Kind, Status, TrialRecord
from autoresearch.study.search.observations import observed


def row(status: Status, kind: Kind = Kind.SAMPLE, **fields) -> TrialRecord:
    return TrialRecord(
        number=7,
        kind=kind,
        status=status,
        revision="a",
        values={"x": 0.5},
        seed=0,
        parent=3,
        incumbent_version=1,
        title="",
        key="sample:4",
        worker="w",
        run="r",
        **fields,
    )


@pytest.mark.parametrize(
    ("status", "kind", "state"),
    [
        (Status.CLAIMED, Kind.SAMPLE, "running"),
        (Status.RUNNING, Kind.EDIT, "running"),
        (Status.JUDGED, Kind.SAMPLE, "complete"),
        (Status.KEEP, Kind.EDIT, "complete"),
        (Status.DISCARD, Kind.SAMPLE, "complete"),
        (Status.MEASURED, Kind.BASELINE, "complete"),
        (Status.PRUNED, Kind.SAMPLE, "pruned"),
        (Status.OOM, Kind.SAMPLE, "pruned"),
        (Status.OOM, Kind.EDIT, "fail"),
        (Status.CRASH, Kind.EDIT, "fail"),
        (Status.OVER_BUDGET, Kind.SAMPLE, "fail"),
        (Status.CHEAT, Kind.EDIT, "fail"),
        (Status.INTERRUPTED, Kind.SAMPLE, "fail"),
    ],
)
def test_a_status_becomes_a_state(status, kind, state):
    scored = state == "complete"

    assert observed(row(status, kind, val_bpb=0.9 if scored else None)).state == state


def test_a_sample_out_of_memory_is_over_the_limit():
    assert observed(row(Status.OOM)).vram_excess_gib > 0
    assert observed(row(Status.PRUNED)).vram_excess_gib is None


def test_the_last_report_of_a_pruned_sample_is_kept():
    observation = observed(row(Status.PRUNED, result={"last_report": [50, 1.25]}), {"cma:generation": 2})

    assert (observation.last, observation.parent, observation.number) == ((50, 1.25), 3, 7)
    assert observation.system_attrs == {"cma:generation": 2}
