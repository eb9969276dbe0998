"""The rules that an editor is told are those that the check applies."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from autoresearch.errors import RevisionError
from autoresearch.revision import package_source
from autoresearch.static_check import check_source
from autoresearch.static_check.allowed_names import (
    ONLY,
    OPEN,
    REFUSED_ATTRIBUTES,
    REFUSED_BUILTINS,
    REFUSED_METHODS,
    REFUSED_PATHS,
    SPECIAL_METHODS,
    TRAINER_READS,
)
from autoresearch.static_check.check import NOT_TRAINING
from autoresearch.static_check.in_words import rules_in_words

RULES = rules_in_words()
FUTURE = "__future__"


def told() -> dict[str, list[str]]:
    """Module -> the names of it that the rules allow."""
    found = re.findall(r"^  - ([\w.]+): ([\w, ]+)$", RULES, re.MULTILINE)
    return {module: names.split(", ") for module, names in found if module in ONLY}


def test_every_name_that_the_rules_allow_passes_the_check() -> None:
    lines = [f"from {module} import {name}" for module, names in told().items() if module != FUTURE for name in names]
    head, _, rest = package_source().partition("import math\n")
    check_source(f"{head}import math\n" + "\n".join(lines) + "\n" + rest)
    assert len(lines) > 100


def test_every_module_that_the_rules_open_passes_the_check() -> None:
    first = next(line for line in RULES.splitlines() if "may be imported" in line)
    modules = first.partition("public in them: ")[2].rstrip(".").split(", ")
    assert set(modules) == OPEN
    head, _, rest = package_source().partition("import math\n")
    check_source(f"{head}" + "".join(f"import {module}\n" for module in modules) + rest)


def test_the_rules_leave_out_nothing() -> None:
    assert {module: set(names) for module, names in told().items()} == {
        module: set(names) for module, names in ONLY.items() if names
    }
    words = set(re.split(r"[\s,:;()]+", RULES)) | {word.rstrip(".") for word in RULES.split()}
    for table in (REFUSED_PATHS, REFUSED_BUILTINS, REFUSED_METHODS, SPECIAL_METHODS, TRAINER_READS, NOT_TRAINING):
        assert set(table) <= words
    assert {f".{name}" for name in REFUSED_ATTRIBUTES} <= words
    for reason in {*REFUSED_PATHS.values(), *REFUSED_BUILTINS.values(), *REFUSED_ATTRIBUTES.values()}:
        assert reason in RULES


@pytest.mark.parametrize("path", sorted(REFUSED_PATHS))
def test_what_the_rules_refuse_the_check_refuses(path: str) -> None:
    module, _, name = path.rpartition(".")
    with pytest.raises(RevisionError):
        check_source(package_source().replace("import math\n", f"import math\nfrom {module} import {name}\n", 1))


def test_the_text_is_the_same_in_every_process() -> None:
    script = "from autoresearch.static_check.in_words import rules_in_words\nprint(rules_in_words(), end='')"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == RULES
