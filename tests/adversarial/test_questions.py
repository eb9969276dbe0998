"""What a model answers to the judge's questions: leaks, memories and forgeries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.isolation.supervisor import Supervisor

from .conftest import Case, cases, check_ending

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", cases("leaks", "answers"))
def test_past_the_check_it_ends_as_the_case_says(
    case: Case, supervisor: Supervisor, dataset: Dataset, honest_score: Callable[[Case], float], trials: Path
) -> None:
    check_ending(case, supervisor, dataset, honest_score, trials)
