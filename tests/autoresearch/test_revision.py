"""The text of a `train.py`: read, rewritten, imported."""

import os
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from autoresearch.errors import RevisionError
from autoresearch.revision import load, package_source, preset_of, read_source, with_defaults

SMALL = '''"""Ünïcode before the fields shifts byte columns: 中文."""
from dataclasses import dataclass
from typing import Annotated

from optuna.distributions import CategoricalDistribution as Choice, FloatDistribution, IntDistribution as Int

PRESET = "full"  # a comment that stays


@dataclass(frozen=True)
class Hyperparameters:
    """é"""

    depth: Annotated[int, Int(4, 24)] = 8  # 中
    rate: Annotated[float, FloatDistribution(0.1, 1.0, log=True)] = 0.5
    pattern: Annotated[
        str, Choice(("S", "L"))
    ] = "S"
    device_batch_size: Annotated[int, Int(1, 8)] = 1
    total_batch_size: Annotated[int, Int(1, 8)] = 1


class GPT:
    pass
'''


def written(folder: Path, text: str) -> Path:
    path = folder / "my_train.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_become_the_defaults_and_nothing_else_changes() -> None:
    rewritten = with_defaults(SMALL, {"depth": 12, "rate": 0.25, "pattern": "L"})
    assert rewritten == (
        SMALL.replace("= 8  # 中", "= 12  # 中")
        .replace("log=True)] = 0.5", "log=True)] = 0.25")
        .replace('= "S"', "= 'L'")
    )


def test_ranges_are_rewritten_under_the_names_that_the_file_uses(tmp_path: Path) -> None:
    ranges = {
        "depth": IntDistribution(1, 6),
        "rate": FloatDistribution(0.2, 0.6, log=True),
        "pattern": CategoricalDistribution(("L", "SL")),
    }
    rewritten = with_defaults(SMALL, {"depth": 2, "pattern": "SL"}, ranges, "cpu")
    assert "Int(1, 6)" in rewritten
    found = {name: knob.distribution for name, knob in load(written(tmp_path, rewritten)).knobs.items()}
    assert ranges.items() <= found.items()
    assert preset_of(rewritten) == "cpu"


def test_a_knob_that_the_file_does_not_declare_is_passed_over() -> None:
    assert with_defaults(SMALL, {"gone": 3}, {"gone": IntDistribution(1, 2)}) == SMALL


@pytest.mark.parametrize(
    ("annotation", "new", "message"),
    [
        ("Annotated[int, DEPTHS]", IntDistribution(1, 6), "expected it in the annotation, as in Annotated"),
        ("int", IntDistribution(1, 6), "expected it in the annotation, as in Annotated"),
        ("Annotated[int, Other(4, 24)]", IntDistribution(1, 6), "expected it in the annotation, as in Annotated"),
    ],
)
def test_a_range_that_is_written_elsewhere_cannot_be_replaced(annotation, new, message) -> None:
    text = SMALL.replace("Annotated[int, Int(4, 24)]", annotation)
    with pytest.raises(RevisionError, match=f"cannot replace the range of knob 'depth': {message}"):
        with_defaults(text, {}, {"depth": new})


def test_a_range_can_change_its_class(tmp_path: Path) -> None:
    rewritten = with_defaults(SMALL, {"depth": 2}, {"depth": CategoricalDistribution((2, 4))})
    assert load(written(tmp_path, rewritten)).knobs["depth"].distribution == CategoricalDistribution((2, 4))


def test_a_class_that_the_file_does_not_import_cannot_be_written() -> None:
    text = SMALL.replace("CategoricalDistribution as Choice, ", "")
    with pytest.raises(RevisionError, match="the file does not import CategoricalDistribution"):
        with_defaults(text, {}, {"depth": CategoricalDistribution((2, 4))})


def test_a_step_is_kept(tmp_path: Path) -> None:
    rewritten = with_defaults(SMALL, {"depth": 2}, {"depth": IntDistribution(2, 8, step=2)})
    assert load(written(tmp_path, rewritten)).knobs["depth"].distribution == IntDistribution(2, 8, step=2)


def test_a_file_rewritten_at_the_same_size_in_the_same_second_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    before = path.stat()
    assert load(path).knobs["depth"].default == 8
    path.write_text(SMALL.replace("= 8  #", "= 9  #"), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load(path).knobs["depth"].default == 9


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "my_train"
    path.write_text(SMALL, encoding="utf-8")
    assert load(path).knobs["depth"].default == 8


def test_the_package_s_file_names_the_full_preset() -> None:
    assert preset_of(package_source()) == "full"


def test_a_file_without_a_preset_has_none() -> None:
    assert preset_of("x = 1") is None


def test_the_package_s_file_keeps_the_contract(tmp_path: Path) -> None:
    revision = load(written(tmp_path, package_source()))
    assert revision.gpt.__name__ == "GPT"
    assert revision.knobs["depth"].default == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:", "my_train.py failed: SyntaxError: invalid syntax (line 1)"),
        ("\nimport nonsense_xyz", "my_train.py failed: ModuleNotFoundError: No module named 'nonsense_xyz' (line 2)"),
        ("raise ValueError", "my_train.py failed: ValueError: no message (line 1)"),
        ("raise SystemExit(0)", "my_train.py failed: SystemExit: 0 (line 1)"),
        ("x = 1", "my_train.py must define a class Hyperparameters"),
        (SMALL.replace("class GPT", "class GTP"), "my_train.py must define a class GPT"),
        (
            SMALL.replace("total_batch_size", "batch"),
            "my_train.py must declare the knob total_batch_size, an int: the harness makes the batches",
        ),
        (SMALL.replace("= 8", "= 80"), "default of knob 'depth' is 80, expected 4 to 24"),
    ],
)
def test_a_broken_file_gets_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RevisionError) as caught:
        load(written(tmp_path, text))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:", "the file is no valid Python: line 1: invalid syntax"),
        ("x = '\0'", "the file is no valid Python: "),
        ("x = 1", "the file declares no class Hyperparameters"),
    ],
)
def test_text_that_cannot_be_rewritten_gets_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(RevisionError, match=message):
        with_defaults(text, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match=r"cannot read .*nowhere\.py: No such file"):
        read_source(tmp_path / "nowhere.py")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RevisionError, match="it is not UTF-8 text"):
        read_source(path)
