"""The house itself: what is packaged, who imports whom, how fast `--help` is on its feet."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("callbacks", "autoresearch", "study")  # each may import those before it
LINKS = (ROOT / "autoresearch" / "callbacks", ROOT / "autoresearch" / "study")


def modules(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*.py") if not any(link in path.parents for link in LINKS)]


def floor_of(imported: str) -> str:
    parts = imported.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else parts[0]


@pytest.mark.parametrize("folder", FLOORS)
def test_imports_point_one_way(folder: str) -> None:
    allowed = FLOORS[: FLOORS.index(folder) + 1]
    for path in modules(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.partition(".")[0] == "autoresearch":
                    assert floor_of(name) in allowed, f"{path.relative_to(ROOT)} imports {name}"


def test_every_package_on_disk_is_packaged() -> None:
    on_disk = {
        ".".join(path.relative_to(ROOT).parent.parts)
        for folder in FLOORS
        for path in modules(folder)
        if path.name == "__init__.py"
    }
    full_names = {name if name.startswith("autoresearch") else f"autoresearch.{name}" for name in on_disk}
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert set(setuptools["packages"]) == full_names


@pytest.mark.parametrize("folder", FLOORS)
def test_no_file_is_longer_than_300_lines(folder: str) -> None:
    for path in modules(folder):
        if path != ROOT / "autoresearch" / "train.py":  # it holds the whole experiment, and has its own limit
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from autoresearch.study.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'lightning', 'optuna', 'datasets', 'pandas'} & set(sys.modules)\n"
        "print('heavy:', *sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("heavy:\n"), done.stdout + done.stderr


def test_a_trial_imports_no_corpus_tools() -> None:
    script = (
        "import sys\n"
        "import autoresearch.trial\n"
        "heavy = {'datasets', 'tiktoken', 'rustbpe', 'sqlalchemy', 'anthropic'} & set(sys.modules)\n"
        "print('heavy:', *sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "heavy:\n", done.stdout + done.stderr
