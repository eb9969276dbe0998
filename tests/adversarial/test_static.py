"""What the check of the text makes of each case, before anything of it runs."""

from __future__ import annotations

import pytest

from autoresearch.errors import RevisionError
from autoresearch.static_check import check_source

from .conftest import Case, cases


@pytest.mark.parametrize("case", cases("leaks", "answers", "training", "reading", "machine", "honest"))
def test_the_check_refuses_what_the_case_says_and_lets_the_rest_pass(case: Case) -> None:
    if case.refused is None:
        check_source(case.source)
        return
    with pytest.raises(RevisionError, match=case.refused) as caught:
        check_source(case.source)
    assert str(caught.value).startswith("line ")
