from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from autoresearch.data.dataset import Dataset
from autoresearch.data.prepare import DataSettings, dataset_path, prepare
from autoresearch.errors import DataError

READING = 40  # events while the forty files are read for the first time, before anything is written


class Log:
    """A progress report that remembers, and interrupts the job as Ctrl-C would at its n-th event."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.events = 0
        self.interrupt_at = interrupt_at

    def _event(self) -> None:
        if self.events == self.interrupt_at:
            raise KeyboardInterrupt
        self.events += 1

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append(name)
        self._event()

    def advance(self, amount: int) -> None:
        self._event()

    def note(self, message: str) -> None:
        self.notes.append(message)
        self._event()


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_second_time_says_so_and_does_nothing(dataset: Dataset, settings: DataSettings, home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.path.rglob("*")}
    log = Log()
    prepare(settings, home, log)
    assert (log.stages, log.notes) == ([], [f"already prepared: {dataset.path}"])
    assert {path: path.stat().st_mtime_ns for path in dataset.path.rglob("*")} == before


@pytest.mark.slow
@pytest.mark.usefixtures("small_stages")
def test_an_interruption_at_any_moment_is_made_good_by_the_next_run(
    settings: DataSettings, home: Path, tmp_path: Path
) -> None:
    whole = Log()
    expected = contents(prepare(settings, tmp_path / "uninterrupted", whole).path)
    for event in range(READING, whole.events):
        with pytest.raises(KeyboardInterrupt):
            prepare(settings, home, Log(interrupt_at=event))
        assert not dataset_path(settings, home).exists()
        assert contents(prepare(settings, home).path) == expected
        shutil.rmtree(home)


@pytest.mark.usefixtures("small_stages")
def test_a_run_interrupted_again_and_again_comes_to_the_same_end(
    settings: DataSettings, home: Path, tmp_path: Path
) -> None:
    expected = contents(prepare(settings, tmp_path / "uninterrupted").path)
    attempts = 0
    while not dataset_path(settings, home).exists():
        attempts += 1
        with suppress(KeyboardInterrupt):
            prepare(settings, home, Log(interrupt_at=READING + attempts))
    assert attempts > 5
    assert contents(dataset_path(settings, home)) == expected


@pytest.mark.usefixtures("small_stages")
def test_finished_stages_are_not_repeated(settings: DataSettings, home: Path) -> None:
    first, second = Log(), Log()
    prepare(settings, home.with_name("uninterrupted"), first)
    with pytest.raises(KeyboardInterrupt):
        prepare(settings, home, Log(interrupt_at=first.events - 1))
    prepare(settings, home, second)
    assert "tokenizer" not in second.stages
    assert second.events - len(second.stages) < 50  # 40 files read, and the rest of the last shard
    assert second.events < first.events - 40


def test_what_another_recipe_left_unfinished_is_not_used(settings: DataSettings, home: Path, tmp_path: Path) -> None:
    expected = prepare(settings, tmp_path / "other").fingerprint
    partial = dataset_path(settings, home)
    partial = partial.with_name(partial.name + ".partial")
    (partial / "stages").mkdir(parents=True)
    (partial / "stages" / "recipe.json").write_text('{"format": 0}')
    (partial / "tokenizer.json").write_text("left over")
    assert prepare(settings, home).fingerprint == expected


def test_a_folder_that_lost_its_description_is_prepared_again(
    dataset: Dataset, settings: DataSettings, home: Path
) -> None:
    expected = contents(dataset.path)
    (dataset.path / "meta.json").unlink()
    assert contents(prepare(settings, home).path) == expected


def test_nothing_but_the_dataset_stays_in_its_folder(dataset: Dataset) -> None:
    names = ["meta.json", "test/test.npy", "token_bytes.npy", "tokenizer.json", "train-00000.npy", "val.npy"]
    assert sorted(contents(dataset.path)) == names
    assert [path.name for path in dataset.path.parent.iterdir() if path.suffix != ".lock"] == [dataset.name]


def test_a_corpus_that_changes_while_it_is_read_is_noticed(corpus: Path, settings: DataSettings, home: Path) -> None:
    class Change(Log):
        def stage(self, name: str, total: int | None = None) -> None:
            if name == "packing train":
                for path in corpus.iterdir():
                    path.write_text("changed")

    with pytest.raises(DataError, match=r"\.txt changed while it was being prepared"):
        prepare(settings, home, Change())


def test_a_full_disk_is_told_and_the_next_run_goes_on(settings: DataSettings, home: Path) -> None:
    partial = dataset_path(settings, home)
    partial = partial.with_name(partial.name + ".partial")

    class Full(Log):
        def stage(self, name: str, total: int | None = None) -> None:
            if name == "packing test":  # the next file to be written lies on a device without space
                (partial / "test").mkdir()
                (partial / "test" / "test.npy.tmp").symlink_to("/dev/full")

    with pytest.raises(DataError, match=r"no space left in .*: [\d,.]+ MB free, about [\d,.]+ MB needed") as error:
        prepare(settings, home, Full())
    assert "\n" not in str(error.value)
    log = Log()
    prepare(settings, home, log)
    assert "tokenizer" not in log.stages


def test_a_disk_that_really_fills_up_is_told(settings: DataSettings, tmp_path: Path) -> None:
    small = tmp_path / "small disk"
    small.mkdir()
    shell = 'mount -t tmpfs -o size=200k tmpfs "$1" || exit 77; exec "$0" -c "$2" "$1" "$3"'
    code = (
        "import sys; from pathlib import Path; from autoresearch.data.prepare import *\n"
        "from autoresearch.errors import DataError\n"
        "try: prepare(DataSettings(sys.argv[2], 256, 64), Path(sys.argv[1]))\n"
        "except DataError as error: sys.exit(str(error))"
    )
    big = tmp_path / "big.txt"
    big.write_text("\n\n".join(f"{number} " * 400 for number in range(200)))
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", shell, sys.executable]
    try:
        run = subprocess.run([*inside, small, code, big], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if run.returncode == 77 or "unshare" in run.stderr:
        pytest.skip("needs a user namespace that may mount")
    assert run.stderr.startswith(f"no space left in {small}: ")
    assert run.stderr.count("\n") == 1
