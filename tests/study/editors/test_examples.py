"""The shipped list of example edits: each does what `examples/README.md` says of it."""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from autoresearch.data.dataset import Dataset
from autoresearch.device import detect
from autoresearch.errors import TrialError
from autoresearch.presets import PRESETS, retarget
from autoresearch.revision import load, package_source
from autoresearch.study.editors.blocks import EditError, apply
from autoresearch.study.editors.replay import read_records
from autoresearch.study.records import Edit
from autoresearch.trial import TrialSettings, run_trial

EXAMPLES = Path(__file__).parents[3] / "examples" / "edits.jsonl"
EDITS = read_records(EXAMPLES)
DOES_NOT_APPLY = "Replace the MLP's GELU by SiLU"
CRASHES = "Clip the norm of the gradients"
APPLYING = [edit for edit in EDITS if edit.title != DOES_NOT_APPLY]
RUNNING = [edit for edit in APPLYING if edit.title != CRASHES]

ALLOWED_IMPORTS = {
    "autoresearch.attention",
    "dataclasses",
    "lightning.pytorch",
    "math",
    "optuna.distributions",
    "torch",
    "torch.nn.functional",
    "typing",
}
TINY = {"depth": 2, "aspect_ratio": 32, "head_dim": 32, "device_batch_size": 4, "total_batch_size": 512}


@functools.cache
def source_for(preset: str) -> str:
    return retarget(package_source(), PRESETS[preset])


def titles(edits: list[Edit]) -> list[str]:
    return [edit.title for edit in edits]


def applied(source: str, edits: list[Edit]) -> str:
    for edit in edits:
        source = apply(source, edit.blocks)
    return source


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], Any]:
    def write_and_load(text: str) -> Any:
        path = tmp_path / "train.py"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return write_and_load


def test_there_are_at_least_ten_with_titles_of_their_own_and_a_hypothesis() -> None:
    assert len(EDITS) >= 10
    assert len(set(titles(list(EDITS)))) == len(EDITS)
    assert all(len(edit.hypothesis) > 40 for edit in EDITS)
    assert {DOES_NOT_APPLY, CRASHES} < {edit.title for edit in EDITS}


@pytest.mark.parametrize("preset", PRESETS)
def test_one_does_not_apply(preset: str) -> None:
    [edit] = [edit for edit in EDITS if edit.title == DOES_NOT_APPLY]
    with pytest.raises(EditError, match=r"^the search text of block 1 of 1 .* is not there"):
        apply(source_for(preset), edit.blocks)


@pytest.mark.parametrize("preset", ["cpu", "full"])
@pytest.mark.parametrize("edit", APPLYING, ids=titles(APPLYING))
def test_every_other_loads_for_small_and_large_machines(edit: Edit, preset: str, loaded: Callable[[str], Any]) -> None:
    text = apply(source_for(preset), edit.blocks)
    assert text != source_for(preset)
    revision = loaded(text)
    hyperparameters = revision.hyperparameters(**{name: knob.default for name, knob in revision.knobs.items()})
    with torch.device("meta"):
        model = revision.gpt(hyperparameters, vocab_size=512, context=64)
    model.configure_optimizers()  # it asserts that each parameter is in exactly one group


@pytest.mark.parametrize("edit", APPLYING, ids=titles(APPLYING))
def test_an_edit_before_the_preset_is_an_edit_after_it(edit: Edit) -> None:
    before = retarget(apply(package_source(), edit.blocks), PRESETS["cpu"])
    assert before == apply(source_for("cpu"), edit.blocks)


@pytest.mark.parametrize("edit", APPLYING, ids=titles(APPLYING))
def test_nothing_outside_the_contract_is_imported(edit: Edit) -> None:
    imported = set()
    for node in ast.walk(ast.parse(apply(package_source(), edit.blocks))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    assert imported <= ALLOWED_IMPORTS


def test_whichever_edits_are_kept_the_later_ones_still_apply() -> None:
    draw = random.Random(0)
    subsets = [list(pair) for pair in itertools.combinations(APPLYING, 2)]
    subsets += [[edit for edit in APPLYING if draw.random() < 0.5] for _ in range(100)]
    for subset in subsets:
        assert applied(source_for("cpu"), subset) != source_for("cpu")
    compile(applied(source_for("cpu"), APPLYING), "train.py", "exec")


@pytest.mark.parametrize("edits", [*([edit] for edit in RUNNING), RUNNING], ids=[*titles(RUNNING), "all of them"])
def test_no_token_sees_a_later_one(edits: list[Edit], loaded: Callable[[str], Any]) -> None:
    revision = loaded(applied(source_for("cpu"), edits))
    defaults = {name: knob.default for name, knob in revision.knobs.items()}
    torch.manual_seed(0)
    model = revision.gpt(revision.hyperparameters(**(defaults | TINY)), vocab_size=61, context=64)
    tokens = torch.randint(61, (2, 64))
    with torch.no_grad():
        for parameter in model.parameters():  # outputs start at zero, and would hide what their block sees
            parameter.add_(0.3 * torch.randn(parameter.shape))
        for cut in (1, 20, 63):
            changed = torch.cat((tokens[:, :cut], (tokens[:, cut:] + 1) % 61), dim=1)
            difference = (model(tokens) - model(changed)).abs().amax(dim=(0, 2))
            assert difference[:cut].max() == 0
            assert difference[cut:].min() > 0


def trained(path: Path, dataset: Dataset) -> float:
    defaults = {name: knob.default for name, knob in load(path).knobs.items()}
    settings = TrialSettings(
        source=path,
        values=defaults | TINY,
        dataset=dataset,
        device=dataclasses.replace(detect("cpu"), precision="32-true"),
        seconds=60.0,
        steps=2,
        seed=0,
        eval_tokens=512,
        compiled=False,
    )
    return run_trial(settings).val_bpb


@pytest.mark.parametrize("edit", RUNNING, ids=titles(RUNNING))
def test_a_step_lowers_the_loss(edit: Edit, loaded: Callable[[str], Any]) -> None:
    revision = loaded(apply(source_for("cpu"), edit.blocks))
    defaults = {name: knob.default for name, knob in revision.knobs.items()}
    torch.manual_seed(0)
    model = revision.gpt(revision.hyperparameters(**(defaults | TINY)), vocab_size=61, context=64)
    optimizer, tokens = model.configure_optimizers(), torch.randint(61, (2, 65))
    losses = []
    with torch.compiler.set_stance("force_eager"):
        for step in range(3):
            losses.append(model.training_step((tokens[:, :-1], tokens[:, 1:]), step))
            losses[-1].backward()
            model.on_before_optimizer_step(optimizer)
            optimizer.step()
            optimizer.zero_grad()
    assert losses[2] < losses[0]


def test_all_of_them_at_once_make_a_trial(tmp_path: Path, tiny_dataset: Dataset) -> None:
    path = tmp_path / "train.py"
    path.write_text(applied(source_for("cpu"), RUNNING), encoding="utf-8")
    assert 0 < trained(path, tiny_dataset) < 10


def test_one_crashes_in_training_and_not_before(
    tmp_path: Path, tiny_dataset: Dataset, loaded: Callable[[str], Any]
) -> None:
    [edit] = [edit for edit in EDITS if edit.title == CRASHES]
    path = tmp_path / "train.py"
    path.write_text(apply(source_for("cpu"), edit.blocks), encoding="utf-8")
    revision = load(path)
    defaults = {name: knob.default for name, knob in revision.knobs.items()}
    model = revision.gpt(revision.hyperparameters(**(defaults | TINY)), vocab_size=61, context=64)
    assert model(torch.zeros(1, 64, dtype=torch.int64)).shape == (1, 64, 61)
    with pytest.raises(TrialError, match=r"^train\.py failed: AttributeError: .*'gradient_clip' \(line \d+\)$"):
        trained(path, tiny_dataset)


def test_some_add_a_knob_and_some_change_a_range(loaded: Callable[[str], Any]) -> None:
    before = loaded(package_source()).knobs
    after = [loaded(apply(package_source(), edit.blocks)).knobs for edit in RUNNING]
    assert any(knobs.keys() - before.keys() for knobs in after)
    assert any(
        knobs[name].distribution != before[name].distribution for knobs in after for name in knobs.keys() & before
    )
