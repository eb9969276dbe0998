"""The command editor, with shell scripts that do all that a coding agent may do."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autoresearch.errors import Cheat, InputError, RevisionError, TrialError
from autoresearch.study.editors.blocks import apply
from autoresearch.study.editors.command import CommandEditor
from autoresearch.study.editors.editor import Briefing, EditContext, EditorSpentError, EditorUnavailableError, accept
from autoresearch.study.edits import sha256_of
from autoresearch.study.records import Edit

SOURCE = "import math\n\ndepth = 8\nwidth = 64\n"
CHANGE = "sed -i.old 's/depth = 8/depth = 9/' train.py"
PROGRAM = "Lower val_bpb.\n"
BRIEFING = Briefing(stable="the contract", source="the text", changing="what was tried", program="f" * 64)


def context(
    used: frozenset[str] = frozenset(), check: Callable[[str], None] = accept, source: str = SOURCE
) -> EditContext:
    return EditContext(source, sha256_of(source), used, BRIEFING, check)


def propose(command: str, seconds: float = 60.0) -> Edit:
    return CommandEditor(command, PROGRAM, seconds).propose(context())


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the work trees are made; each test leaves none."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


# -- edits


def test_what_the_command_did_to_the_file_is_the_edit() -> None:
    edit = propose(f"{CHANGE}; echo 'TITLE: one layer more'; echo 'HYPOTHESIS: deeper is better,'; echo 'as they say'")
    assert apply(SOURCE, edit.blocks) == SOURCE.replace("8", "9")
    assert (edit.title, edit.hypothesis, edit.error) == ("one layer more", "deeper is better,\nas they say", "")
    assert edit.key == f"command:{sha256_of(SOURCE.replace('8', '9'))[:16]}"
    assert edit.program == BRIEFING.program


def test_the_program_has_its_hash_where_there_is_no_briefing() -> None:
    assert CommandEditor(CHANGE, PROGRAM).propose(EditContext(SOURCE, "0" * 64)).program == sha256_of(PROGRAM)


def test_the_command_finds_what_it_needs_to_know(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    propose(f"mkdir {seen}; cp * {seen}; git log --format=%s > {seen}/log; git status --short > {seen}/status")
    assert {path.name for path in seen.iterdir()} == {"train.py", "program.md", "context.md", "log", "status"}
    assert (seen / "train.py").read_text() == SOURCE
    assert (seen / "program.md").read_text() == PROGRAM
    assert (seen / "context.md").read_text() == "the contract\n\nthe text\n\nwhat was tried"
    assert (seen / "log").read_text() == "the incumbent\n"
    assert (seen / "status").read_text() == ""


def test_a_commit_is_no_different_and_its_message_has_the_words() -> None:
    edit = propose(f"{CHANGE}; git commit -q -a -m 'A layer more' -m 'It may be deeper.'; echo done")
    assert apply(SOURCE, edit.blocks) == SOURCE.replace("8", "9")
    assert (edit.title, edit.hypothesis) == ("A layer more", "It may be deeper.")


def test_files_may_have_the_words_too() -> None:
    edit = propose(f"{CHANGE}; echo 'a layer' > title.txt; echo 'why not' > hypothesis.txt")
    assert (edit.title, edit.hypothesis) == ("a layer", "why not")


def test_who_says_nothing_is_called_by_name_and_has_the_last_word() -> None:
    edit = propose("echo 'I made it deeper.'; " + CHANGE)
    assert (edit.title, edit.hypothesis) == ("edit by echo", "I made it deeper.")


def test_labels_may_be_in_markdown_and_in_colour_and_the_last_ones_count() -> None:
    said = r"TITLE: a draft\n\033[1m**TITLE:** the \033[31mlast\033[0m one**\n\n> **Hypothesis**\n- HYPOTHESIS: `it` helps\n"
    edit = propose(f"{CHANGE}; printf {shlex.quote(said)}")
    assert (edit.title, edit.hypothesis) == ("the last one", "`it` helps")


def test_a_question_that_is_repeated_is_no_answer() -> None:
    edit = propose(f"cat context.md; echo; echo 'TITLE: mine'; cat context.md; {CHANGE}")
    assert edit.title == "mine"
    assert propose(f"cat context.md >&2; {CHANGE}").title == "edit by cat"


def test_a_long_title_is_cut() -> None:
    edit = propose(f"{CHANGE}; echo 'TITLE: {'long ' * 100}'")
    assert len(edit.title) <= 120
    assert edit.title.endswith("…")


def test_changed_line_ends_are_no_edit() -> None:
    edit = propose(f"{CHANGE}; sed -i.old 's/$/\\r/' train.py")
    assert apply(SOURCE, edit.blocks) == SOURCE.replace("8", "9")
    assert "left train.py as it was" in propose("sed -i.old 's/$/\\r/' train.py").error


# -- what it may do elsewhere


def test_whatever_else_it_writes_is_gone(temporary: Path, tmp_path: Path) -> None:
    edit = propose(
        f"{CHANGE}; echo 1 > program.md; mkdir a; echo 2 > a/b; git checkout -q -b other; pwd > {tmp_path}/where"
    )
    assert apply(SOURCE, edit.blocks) == SOURCE.replace("8", "9")
    assert Path((tmp_path / "where").read_text().strip()).parent == temporary.resolve()
    assert list(temporary.iterdir()) == []


def test_the_user_s_git_settings_and_surroundings_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, trap = tmp_path / "home", tmp_path / "trap"
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("*.md\ntrain.py\n")
    (home / "hooks").mkdir()
    (home / "hooks" / "pre-commit").write_text(f"#!/bin/sh\ntouch {trap}\nexit 1\n")
    (home / "hooks" / "pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {home}/hooks\n\tautocrlf = true\n[commit]\n\tgpgSign = true\n[init]\n\ttemplateDir = {home}\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    edit = propose(f"test -z \"$GIT_DIR$GIT_INDEX_FILE\" && {CHANGE} && git commit -q -a -m 'A layer more'")
    assert (edit.error, edit.title) == ("", "A layer more")
    assert not trap.exists()


def test_the_command_has_the_user_s_environment_and_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_AGENT_MODEL", "large")
    edit = propose('cat; echo "TITLE: $MY_AGENT_MODEL"; ' + CHANGE)
    assert edit.title == "large"


def test_a_secret_that_it_prints_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_AGENT_KEY", "sk-0123456789")
    edit = propose('echo "TITLE: my key is $MY_AGENT_KEY"; echo "it is $MY_AGENT_KEY"; exit 1')
    assert edit.title == "my key is [secret]"
    assert "it is [secret]" in edit.error
    assert "0123456789" not in repr(edit)


def test_a_secret_in_the_file_is_no_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_AGENT_KEY", "sk-0123456789")
    monkeypatch.setenv("MY_AGENT_PASS", "width = 64")  # which stands there anyway
    monkeypatch.setenv("GIT_AUTHOR_NAME", "depth = 9")  # which is none
    monkeypatch.setenv("OPTUNA_STORAGE", "postgresql://ada:correct-horse@db/night")
    edit = propose(f'{CHANGE}; echo "# $MY_AGENT_KEY" >> train.py')
    assert edit.error.startswith("the command wrote the value of MY_AGENT_KEY into train.py")
    assert "0123456789" not in repr(edit)
    assert "OPTUNA_STORAGE" in propose(f"{CHANGE}; echo '# correct-horse' >> train.py").error
    assert "[secret]" in propose("echo correct-horse; false").error
    assert propose(CHANGE).error == ""


# -- attempts that come to nothing


def test_a_command_that_fails_is_an_attempt_with_its_exit_code_and_the_end_of_its_output() -> None:
    edit = propose(f"{CHANGE}; echo thinking; echo 'no credit left' >&2; exit 3")
    assert edit.error == "the command ended with exit code 3; its last words: no credit left\nthinking\nno credit left"
    assert edit.blocks == ()
    assert edit.key.startswith("command:failed-")
    assert edit.key != propose("exit 3").key


@pytest.mark.parametrize("command", ["no-such-agent --print", " no-such-agent", "/no/such/agent.sh"])
def test_a_command_that_there_is_none_of_is_the_users_mistake(command: str) -> None:
    with pytest.raises(InputError, match=r"there is no command '.*such.agent"):
        CommandEditor(command, PROGRAM)


def test_a_command_beside_the_user_is_not_beside_the_work_tree(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it starts in a folder of its own, .*give the whole path, as in command:/"):
        CommandEditor("./agent.sh", PROGRAM)


@pytest.mark.parametrize("command", ["if true; then false; fi", "X=1 no-such-agent", "'no such'", "(no-such-agent)"])
def test_what_only_the_shell_understands_is_left_to_it(command: str) -> None:
    assert propose(command).error.startswith("the command ")


def test_a_command_that_is_killed() -> None:
    assert propose("kill -9 $$").error == "the command was killed by SIGKILL; it printed nothing"


def test_a_command_that_hangs_is_killed_with_all_below_it(tmp_path: Path) -> None:
    began = time.monotonic()
    edit = propose(f"echo begun; sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000", seconds=1.0)
    assert edit.error == "the command took too long and was killed after 1 s; its last words: begun\nbegun"
    assert time.monotonic() - began < 60
    assert not is_running(tmp_path / "pid")


def test_one_that_has_closed_its_output_and_hangs_is_killed_too() -> None:
    assert "took too long" in propose("exec >&- 2>&-; sleep 1000", seconds=1.0).error


def test_a_process_left_behind_is_not_waited_for_and_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    edit = propose(f"sleep 1000 & echo $! > {tmp_path}/pid; {CHANGE}")
    assert edit.error == ""
    assert time.monotonic() - began < 60
    assert not is_running(tmp_path / "pid")


@pytest.mark.parametrize("environment", ["dict(os.environ)", "{}"])
def test_a_daemon_that_has_left_for_a_session_of_its_own_is_killed(tmp_path: Path, environment: str) -> None:
    daemon = tmp_path / "daemon.py"
    daemon.write_text(
        f"import os, sys\nif os.fork():\n    sys.exit()\nos.setsid()\nif os.fork():\n    sys.exit()\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        f"os.execve('/bin/sleep', ['sleep', '1000'], {environment})\n"
    )
    edit = propose(f"{shlex.quote(sys.executable)} {daemon}; until test -s {tmp_path}/pid; do :; done; {CHANGE}")
    assert edit.error == ""
    assert not is_running(tmp_path / "pid")


def test_a_hundred_megabytes_of_output_fill_nothing(temporary: Path) -> None:
    before = psutil.Process().memory_info().rss
    edit = propose(f"head -c 100000000 /dev/zero | tr '\\0' x; echo; echo 'TITLE: at last'; {CHANGE}")
    assert (edit.title, edit.error) == ("at last", "")
    assert len(edit.hypothesis) <= 2000
    assert psutil.Process().memory_info().rss - before < 50e6


def test_output_without_end_is_stopped_in_time() -> None:
    edit = propose("yes", seconds=1.0)
    assert edit.error.startswith("the command took too long and was killed after 1 s; its last words: y\ny\ny")
    assert len(edit.error) < 5000


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("true", "the command left train.py as it was"),
        ("rm train.py", "there is no train.py any more"),
        ("ln -sf /etc/passwd train.py", "train.py is no plain file any more"),
        ("rm train.py; mkdir -p train.py/a", "train.py is no plain file any more: it is something else"),
        ("rm train.py; mkfifo train.py", "train.py is no plain file any more: it is something else"),
        ("head -c 1000 /dev/urandom > train.py; printf '\\377' >> train.py", "train.py is no"),
        ("printf 'a\\0b' > train.py", "train.py is no text: it holds a null character (byte 1)"),
        ("printf '\\303\\050' > train.py", "train.py is not UTF-8 text (byte 0)"),
        ("head -c 100001 /dev/zero | tr '\\0' x > train.py", "more than the 100,000 bytes that are allowed"),
        ("rm -rf .git * .git", "there is no train.py any more"),
        ("cd ..; rm -rf autoresearch-edit-*", "there is no train.py any more"),
    ],
)
def test_what_is_no_edit(command: str, error: str) -> None:
    edit = propose(command)
    assert error in edit.error
    assert "\0" not in repr(edit)
    assert edit.blocks == ()


def test_without_its_history_an_edit_is_still_one() -> None:
    edit = propose(f"rm -rf .git; {CHANGE}")
    assert (edit.error, edit.title) == ("", "edit by rm")


def test_an_edit_that_was_seen_is_none() -> None:
    editor = CommandEditor(CHANGE, PROGRAM)
    first = editor.propose(context())
    again = editor.propose(context(used=frozenset({first.key})))
    assert again.error.startswith("the command made an edit that the study has seen; it printed nothing")
    assert again.key != first.key


# -- the check


def test_the_check_sees_the_whole_text_once() -> None:
    seen: list[str] = []
    CommandEditor(CHANGE, PROGRAM).propose(context(check=seen.append))
    assert seen == [SOURCE.replace("8", "9")]


@pytest.mark.parametrize("error", [RevisionError("line 3: no"), Cheat("it looks ahead", tail="Traceback")])
def test_what_the_check_refuses_is_given_up_with_the_reason(error: RevisionError | Cheat) -> None:
    def refuse(text: str) -> None:
        raise error

    edit = CommandEditor(CHANGE, PROGRAM).propose(context(check=refuse))
    assert edit.error == f"{error}\n{error.tail}".strip()
    assert apply(SOURCE, edit.blocks) == SOURCE.replace("8", "9")
    assert edit.key.startswith("command:failed-")


def test_what_is_not_the_edit_s_fault_goes_on() -> None:
    def fail(text: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        CommandEditor(CHANGE, PROGRAM).propose(context(check=fail))


# -- when to stop


def test_after_three_failures_in_a_row_it_waits_longer_and_longer() -> None:
    now = 0.0
    editor = CommandEditor("exit 1", PROGRAM, now=lambda: now)
    for _ in range(3):
        assert editor.propose(context()).error
    for pause in (60.0, 120.0, 240.0):
        with pytest.raises(EditorUnavailableError, match=r"the command failed \d times in a row") as caught:
            editor.propose(context())
        assert caught.value.retry_after == pause
        now += pause
        assert editor.propose(context()).error


def test_a_success_makes_up_for_failures(tmp_path: Path) -> None:
    editor = CommandEditor(f"test -e {tmp_path}/well && {CHANGE}", PROGRAM, now=lambda: 0.0)
    for _ in range(3):
        assert editor.propose(context()).error
        assert editor.propose(context()).error
        (tmp_path / "well").touch()
        assert not editor.propose(context()).error
        (tmp_path / "well").unlink()


def test_without_git_it_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EditorUnavailableError, match="git could not be run") as caught:
        CommandEditor(CHANGE, PROGRAM).propose(context())
    assert caught.value.retry_after > 0


def test_to_close_it_kills_the_command(tmp_path: Path, temporary: Path) -> None:
    editor = CommandEditor(f"echo $$ > {tmp_path}/pid; exec sleep 1000", PROGRAM)

    def close() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            os.sched_yield()
        editor.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(EditorSpentError, match="was closed while its command ran"):
        editor.propose(context())
    closer.join()
    assert not is_running(tmp_path / "pid")
    assert list(temporary.iterdir()) == []
    with pytest.raises(EditorSpentError, match="is closed"):
        editor.propose(context())


def test_an_edit_whose_check_is_cut_off_by_the_end_has_not_failed() -> None:
    editor = CommandEditor(CHANGE, PROGRAM)

    def killed(text: str) -> None:
        editor.close()
        raise TrialError("the process was killed by SIGKILL")

    with pytest.raises(EditorSpentError, match="was closed while its edit was checked"):
        editor.propose(context(check=killed))


def test_ctrl_c_kills_the_command(tmp_path: Path, temporary: Path) -> None:
    command = f"echo $$ > {tmp_path}/pid; kill -INT {os.getpid()}; exec sleep 1000"
    with pytest.raises(KeyboardInterrupt):
        propose(command)
    assert not is_running(tmp_path / "pid")
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("command", "seconds"), [("  ", 1.0), ("true", 0.0), ("true", float("nan"))])
def test_what_cannot_be_run_is_refused_at_once(command: str, seconds: float) -> None:
    with pytest.raises(InputError, match="the command editor has"):
        CommandEditor(command, PROGRAM, seconds)


def is_running(pid_file: Path) -> bool:
    """Whether the process is there whose number a command wrote down."""
    try:
        return psutil.Process(int(pid_file.read_text())).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
