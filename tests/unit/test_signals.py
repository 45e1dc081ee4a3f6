"""A program that was stopped by a signal ends as that signal would have ended it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from sparseags_ns.signals import exit_by_signal, stop_signals_call

stopped = []
with stop_signals_call(stopped.append):
    print("ready", flush=True)
    while not stopped:
        time.sleep(0.01)
    print("saved", flush=True)
open(sys.argv[1], "w").write("saved")
exit_by_signal(stopped[0])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_work_is_finished_before_the_program_ends_by_the_signal(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "mark")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.communicate(timeout=20)[0] == "saved\n" and process.returncode == -number


def test_ctrl_c_ends_a_loop_of_the_shell(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    loop = f"for scene in 1 2; do {sys.executable} {tmp_path}/program.py {tmp_path}/$scene; done; echo went on"
    shell = subprocess.Popen(["bash", "-c", loop], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert shell.stdout is not None and shell.stdout.readline() == "ready\n"
    os.killpg(shell.pid, signal.SIGINT)
    assert shell.communicate(timeout=20)[0] == "saved\n"
    assert (tmp_path / "1").exists() and not (tmp_path / "2").exists()


def test_a_closed_terminal_does_not_stop_the_saving(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(tmp_path / "mark")])
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        while b"ready" not in screen.read(64):
            pass
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP and (tmp_path / "mark").read_text() == "saved"


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    command = f"trap '' HUP; exec {sys.executable} -c '{PROGRAM}' {tmp_path}/mark"
    process = subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == -signal.SIGTERM
