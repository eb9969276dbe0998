"""However long the night and however much its trials printed, a briefing stays within its size."""

from __future__ import annotations

import pytest
from optuna.distributions import IntDistribution
from sqlalchemy import select

from autoresearch.knobs import Knob
from autoresearch.revision import package_source
from autoresearch.static_check import check_source
from autoresearch.static_check.source_limits import MAX_BYTES as MAX_SOURCE_BYTES
from autoresearch.study.briefing.code import KNOBS_BYTES
from autoresearch.study.briefing.lessons import lessons_prompt
from autoresearch.study.briefing.program import MAX_PROGRAM_BYTES, Program
from autoresearch.study.briefing.write import AROUND_SOURCE, MAX_BYTES, MAX_FORMAT_BYTES, MAX_LESSONS_BYTES
from autoresearch.study.editors.editor import Briefing
from autoresearch.study.records import Status
from autoresearch.study.storage.models import RevisionRow, TrialRow

from .conftest import KNOBS, SETTINGS, Begin, Night

WIDE = "漢字" * 400  # three bytes a letter
# A hundred thousand bytes; of a log no more than some thousands are ever kept.
HUGE = "\n".join(f"# Your turn {number} {WIDE}" for number in range(40))


def largest_source() -> str:
    """A train.py of just the size that the static check allows."""
    source = package_source()
    room = MAX_SOURCE_BYTES - len(source.encode())
    source += "# 0123456\n" * (room // 10)
    source += "#" * (MAX_SOURCE_BYTES - len(source.encode()))
    check_source(source)
    assert len(source.encode()) == MAX_SOURCE_BYTES
    return source


def many_knobs() -> dict[str, Knob]:
    names = [f"knob_{number}_{'x' * 40}" for number in range(150)]
    return KNOBS | {name: Knob(name, int, 2, IntDistribution(1, 8)) for name in names}


def copied(night: Night, number: int, times: int, **changed: object) -> None:
    """Copies of a trial under further numbers: the ledger's own operations would take minutes for so many."""
    with night.db.transaction() as session:
        rows = session.scalars(select(TrialRow).where(TrialRow.number == number)).one()
        columns = {column.name: getattr(rows, column.name) for column in TrialRow.__table__.columns}
        last = max(session.scalars(select(TrialRow.number)))
        for step in range(1, times + 1):
            given = {"number": last + step, "finished_at": columns["finished_at"] + last + step, **changed}
            session.add(TrialRow(**(columns | given)))


def revised(night: Night, times: int) -> None:
    """So many edits that each change a thousand lines, every other one of them kept."""
    for index in range(times):
        incumbent = night.ledger.incumbent()
        assert incumbent is not None
        old = night.ledger.revision(incumbent.revision).source
        lines = old.split("\n")
        places = [place for place, line in enumerate(lines) if line.startswith("# ") and len(line) == 9]
        for place in places[::5]:
            lines[place] = f"# {index:07}"
        new = "\n".join(lines)
        night.score(night.edit(old, new, f"{index} {WIDE}", WIDE), 1.5 if index % 2 else 1.38 - 0.02 * index)


def total(briefing: Briefing) -> int:
    return sum(len(part.encode()) for part in (briefing.stable, briefing.source, briefing.changing))


@pytest.mark.slow
def test_of_five_hundred_trials_with_huge_logs_on_the_largest_file(begin: Begin) -> None:
    night = begin(largest_source())
    night.baselines(1.41, 1.40, 1.39)
    revised(night, 12)
    crash = night.fail(night.edit("# 0123456\n", "# crash\n", WIDE, WIDE), Status.CRASH, HUGE, HUGE)
    copied(night, crash, 470, title=WIDE)
    for index in range(12):
        night.queue_edit("# 0123456\n", f"# {index:07}\n", f"waiting {WIDE}")
    assert len(night.ledger.history()) > 480

    program = Program("p" * MAX_PROGRAM_BYTES, "0" * 64)
    night.answer_format = "f" * MAX_FORMAT_BYTES
    told = night.briefing(program, lessons="\n" * MAX_LESSONS_BYTES + "x\n" * MAX_LESSONS_BYTES)
    assert total(told) <= MAX_BYTES
    assert total(told) - MAX_SOURCE_BYTES <= AROUND_SOURCE
    incumbent = night.ledger.incumbent()
    assert incumbent is not None
    assert night.ledger.revision(incumbent.revision).source in told.source  # the code is never cut
    assert told.changing.splitlines().count("# Your turn") == 1
    assert told.changing.endswith("and with nothing else.\n")  # the request is not what is cut
    for heading in (
        "Where the study stands",
        "What was kept",
        "Edits that were dropped",
        "What was tried",
        "Edits under",
    ):
        assert f"# {heading}" in told.changing
    assert len(lessons_prompt(night.ledger, SETTINGS, HUGE).encode()) <= AROUND_SOURCE


def test_a_great_many_knobs_are_cut_and_those_off_their_default_come_first(begin: Begin) -> None:
    night = begin(knobs=many_knobs())
    night.baselines(1.41, 1.40)
    night.score(night.sample(**{f"knob_149_{'x' * 40}": 5}), 1.30)
    told = night.briefing().source
    listed = [line for line in told.splitlines() if line.startswith("- ")]
    assert listed[0].startswith("- knob_149_xxx")
    assert sum(len(line) + 1 for line in listed) <= KNOBS_BYTES
    assert told.endswith(f"({155 - len(listed)} more, which run at the defaults in the text)")


def test_the_rules_leave_the_room_that_they_were_given(night: Night) -> None:
    program = Program("p" * MAX_PROGRAM_BYTES, "0" * 64)
    night.answer_format = "f" * MAX_FORMAT_BYTES
    assert len(night.briefing(program).stable.encode()) <= MAX_PROGRAM_BYTES + MAX_FORMAT_BYTES + 16_000


def test_a_way_to_answer_that_takes_too_much_is_a_mistake_of_ours(night: Night) -> None:
    with pytest.raises(ValueError, match="the answer format has 6001 bytes, at most 6000 are allowed"):
        night.briefing(answer_format="f" * (MAX_FORMAT_BYTES + 1))


def test_the_rows_of_the_copies_are_whole(night: Night) -> None:
    copied(night, 2, 3)
    assert [trial.number for trial in night.ledger.history()] == [0, 1, 2, 3, 4, 5]
    with night.db.read() as session:
        assert len(session.scalars(select(RevisionRow)).all()) == 1
