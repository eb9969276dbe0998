from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from autoresearch.study.interrupts import Interrupts


def test_a_signal_waits_until_it_is_allowed() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.received is signal.SIGTERM
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            pytest.fail("the stretch was entered")
    assert interrupts.exit_code == 143


def test_a_signal_ends_a_stretch_that_allows_it() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.exit_code == 130


def test_a_held_stretch_is_finished_first() -> None:
    done = []

    def write() -> None:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the write")
        done.append("what follows")

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt), interrupts.allowed():
        write()
    assert done == ["the write"]


def test_the_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_signal_ends_the_process_at_once() -> None:
    script = (
        "import os, signal\n"
        "from autoresearch.study.interrupts import Interrupts\n"
        "with Interrupts():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('not any more', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("still here\n", 130)
