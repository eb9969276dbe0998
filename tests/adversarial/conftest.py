"""The shelf: reads the cases, writes the `train.py` of each, and runs it as any trial is run. README.md says what a case is."""

from __future__ import annotations

import dataclasses
import math
import random
import re
import runpy
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.data.prepare import DataSettings, prepare
from autoresearch.device import detect
from autoresearch.errors import AutoresearchError, SandboxError
from autoresearch.isolation.environment import clean_environment
from autoresearch.isolation.limits import Limits
from autoresearch.isolation.supervisor import Supervisor
from autoresearch.judge import Probing, tolerance_for
from autoresearch.presets import PRESETS, retarget
from autoresearch.records import TrialResult, TrialSettings
from autoresearch.revision import load, package_source
from autoresearch.sandbox.choose import choose
from autoresearch.sandbox.resources import GIB
from autoresearch.sandbox.rung import Rung
from autoresearch.sandbox.sandbox import Sandbox

CASES = Path(__file__).parent / "cases"
TINY = {"depth": 1, "aspect_ratio": 32, "head_dim": 32, "device_batch_size": 2, "total_batch_size": 512}
STEPS, ROWS, CONTEXT = 4, 64, 256
SECRET = "geheim"  # what the variables hold that are no candidate's business

# Behind or before which line of the package's train.py the code of a case goes.
FORWARD = "        x = x0 = norm(self.embedding(tokens).to(dtype))\n"
STEP = "        tokens, targets = batch  # (B, T) int64 each\n"
INIT = "        self.initialise()\n"
LOGITS = "        return self.SOFTCAP * torch.tanh(logits / self.SOFTCAP)\n"
METHODS = "    # -- what Lightning calls while it trains"


@dataclass(frozen=True)
class Case:
    """One revision of the shelf; the fields are the names that its file may define, in small letters."""

    name: str
    init: str = ""
    forward: str = ""
    logits: str = ""
    step: str = ""
    methods: str = ""
    imports: str = ""
    look: str = ""
    edits: list[tuple[str, str]] = field(default_factory=list)
    refused: str | None = None
    ends: str = "score"
    words: str = ""
    same_score: bool = False
    leaves_no: str = ""
    never: str = ""
    again: bool = False
    spoils_nothing: bool = False
    needs: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    steps: int = STEPS
    seconds: float | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    probing: dict[str, Any] = field(default_factory=dict)

    @property
    def is_honest(self) -> bool:
        return self.name.startswith("honest/")

    @property
    def source(self) -> str:
        """The text of its train.py."""
        text = retarget(package_source(), PRESETS["cpu"])
        logits = f"if not self.training:\n    look()\n{self.logits}" if self.look else self.logits
        look = f"\n\ndef look():\n{textwrap.indent(self.look, '    ')}\n\nlook()\n" if self.look else ""
        for place, code, depth, behind in (
            (FORWARD, self.forward, 8, True),
            (INIT, self.init, 8, True),
            (STEP, self.step, 8, False),
            (LOGITS, logits, 8, False),
            (METHODS, self.methods, 4, False),
        ):
            inserted = textwrap.indent(code, " " * depth)
            self_and_code = place + inserted if behind else inserted + place
            text = _replace_once(text, place, self_and_code) if code else text
        for old, new in self.edits:
            text = _replace_once(text, old, new)
        return f"{text}{self.imports}{look}"


def _replace_once(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"expected once in the file: {old}"
    return text.replace(old, new)


def cases(*folders: str) -> list[Any]:
    """The cases of some folders, as parameters of a test that bear their names."""
    found = []
    for folder in folders:
        for path in sorted((CASES / folder).glob("*.py")):
            said = {name: value for name, value in runpy.run_path(str(path)).items() if name.isupper()}
            said = {"imports" if name == "IMPORT" else name.lower(): value for name, value in said.items()}
            found.append(pytest.param(Case(f"{folder}/{path.stem}", **said), id=f"{folder}-{path.stem}"))
    assert found
    return found


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Simple sentences at 300 ids in rows of 256 + 1."""
    folder, draw = tmp_path_factory.mktemp("sentences"), random.Random(0)
    words = [f"{a}{b}{c}" for a in "bdklmrst" for b in "aeiou" for c in "nrst"]
    for number in range(200):
        sentences = (" ".join(draw.choices(words, k=6)).capitalize() + "." for _ in range(150))
        (folder / f"{number:03}.txt").write_text(" ".join(sentences), encoding="utf-8")
    home = tmp_path_factory.mktemp("home")
    return prepare(DataSettings(str(folder), vocab_size=300, context=CONTEXT), home)


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where studies lie, as below a user's AUTORESEARCH_HOME."""
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="session")
def rung(studies: Path) -> Rung | None:
    """The sandbox that holds here, as any study takes it; None where there is none."""
    try:
        return choose(studies, "cpu", clean_environment).rung
    except SandboxError:
        return None


@pytest.fixture
def trials(supervisor: Supervisor, studies: Path, request: pytest.FixtureRequest) -> Path:
    """A folder for the trials of one test."""
    return studies / "study" / re.sub(r"\W+", "-", request.node.name)


@pytest.fixture(scope="module")
def supervisor(studies: Path, rung: Rung | None) -> Iterator[Supervisor]:
    study = studies / "study"
    sandbox = None
    if rung is not None:
        sandbox = Sandbox.for_study(rung, study, devices=False, hidden=[studies.parent])
        # Less than a user's, so that the cases need not use up the machine that they are tried on.
        resources = dataclasses.replace(sandbox.resources, memory_bytes=4 * GIB, folder_bytes=GIB // 2)
        sandbox = dataclasses.replace(sandbox, resources=resources)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # tiny models gain nothing by threads
        for name in ("ANTHROPIC_API_KEY", "OPTUNA_STORAGE", "MY_PASSWORD"):
            patch.setenv(name, SECRET)
        running = Supervisor(study / "compiled", rehearse=False, compiles=False, sandbox=sandbox)
    with running:
        yield running


@pytest.fixture(scope="module")
def honest_score(supervisor: Supervisor, dataset: Dataset, studies: Path) -> Callable[[Case], float]:
    """What the package's own train.py comes to with the values and the budget of a case."""
    known: dict[str, float] = {}

    def score(case: Case) -> float:
        key = repr((case.values, case.steps, case.seconds))
        if key not in known:
            honest = Case("honest/it", values=case.values, steps=case.steps, seconds=case.seconds)
            folder = studies / "study" / f"honest-{len(known)}"
            known[key] = run_case(honest, supervisor, dataset, folder).val_bpb
        return known[key]

    return score


def run_case(case: Case, supervisor: Supervisor, dataset: Dataset, folder: Path) -> TrialResult:
    """Run it as any trial is run, but for the static check."""
    path = folder / "given.py"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(retarget(package_source(), PRESETS["cpu"]), encoding="utf-8")
    defaults = {name: knob.default for name, knob in load(path).knobs.items()}
    path.write_text(case.source, encoding="utf-8")
    device = dataclasses.replace(detect("cpu"), precision="32-true")
    settings = TrialSettings(
        source=path,
        values=defaults | TINY | case.values,
        dataset=dataset,
        device=device,
        seconds=case.seconds or 60.0,
        steps=None if case.seconds else case.steps,
        seed=0,
        eval_tokens=ROWS * CONTEXT,
        compiled=False,
    )
    probing = dataclasses.replace(Probing(tolerance_for(device), thorough_below=math.inf), **case.probing)
    limits = dataclasses.replace(Limits(startup=60.0, answer=30.0, evaluation=60.0), **case.limits)
    return supervisor.run(settings, folder / "trial", limits=limits, probing=probing)


def check_ending(
    case: Case, supervisor: Supervisor, dataset: Dataset, honest_score: Callable[[Case], float], folder: Path
) -> None:
    """Run a case past the static check, and see that it ends as its file says, and leaves nothing behind."""
    if case.needs == "sandbox" and supervisor.sandbox is None:
        pytest.skip("no sandbox holds here")
    if case.again:
        run_case(case, supervisor, dataset, folder / "before")
    ending = _ending(case, supervisor, dataset, folder)
    if isinstance(ending, TrialResult):
        assert "score" in case.ends.split("|"), f"it has a score of {ending.val_bpb}"
        _check_score(case, ending, honest_score(case))
    else:
        assert type(ending).__name__ in case.ends.split("|"), f"{type(ending).__name__}: {ending}\n{ending.tail}"
        assert re.search(case.words, str(ending)), str(ending)
    if case.spoils_nothing:
        assert run_case(Case("honest/next"), supervisor, dataset, folder / "next").val_bpb > 1
    if case.leaves_no:
        assert not [process for process in psutil.process_iter(["cmdline"]) if case.leaves_no in _words(process)]
    if case.never:
        assert not [*folder.rglob(case.never), *Path.cwd().glob(case.never)]


def _ending(case: Case, supervisor: Supervisor, dataset: Dataset, folder: Path) -> TrialResult | AutoresearchError:
    try:
        return run_case(case, supervisor, dataset, folder)
    except AutoresearchError as error:
        return error


def _check_score(case: Case, result: TrialResult, honest: float) -> None:
    """A hostile revision has gained nothing; what was counted, and by whose clock, was not its to say."""
    if not case.is_honest and case.seconds is None:  # how far a second leads depends on the machine's other work
        assert result.val_bpb > 0.98 * honest
    if case.same_score:
        assert result.val_bpb == pytest.approx(honest, rel=1e-4)
    if case.seconds is None:
        assert result.steps == case.steps
    else:
        assert case.seconds <= result.training_seconds < case.seconds + 5.0
    assert result.tokens == result.steps * (TINY | case.values)["total_batch_size"]
    assert result.eval_tokens > 0.9 * ROWS * CONTEXT


def _words(process: psutil.Process) -> list[str]:
    return process.info["cmdline"] or []
