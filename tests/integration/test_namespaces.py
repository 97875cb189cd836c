# SPDX-License-Identifier: GPL-3.0-or-later
"""Test runs beside each other: what a killed one left is removed, what a living one uses is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import namespaces
from tests.namespaces import Namespaces, missing, wait_for

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

ROOT = Path(__file__).resolve().parents[2]
_ANOTHER_RUN = """
import time
from tests.namespaces import Namespaces
made = Namespaces()
made.add("a")
made.resolve_at("192.0.2.1", "a")
made.spawn("sleep", "a", "sleep", "1000")
print(made.prefix, made.directory, made.pid("sleep"), flush=True)
time.sleep(1000)
"""


def _is_running(pid: str) -> bool:
    """Whether a process is there that has not ended; nobody waits for the children of a killed one."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_leftovers_of_the_dead_are_removed_and_nothing_of_the_living():
    """A namespace with a process in it, its directory, and what ip-netns(8) knows of it."""
    own = Namespaces()
    own.add("a")
    other = subprocess.Popen([sys.executable, "-c", _ANOTHER_RUN], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        prefix, directory, sleep = other.stdout.readline().split()
        paths = [Path(directory), Path("/run/netns") / f"{prefix}a", Path("/etc/netns") / f"{prefix}a"]
        namespaces.remove_leftovers()
        assert all(path.exists() for path in paths) and _is_running(sleep)
        other.kill()
        other.wait()
        namespaces.remove_leftovers()
        assert not any(path.exists() for path in paths)
        wait_for(lambda: not _is_running(sleep))
        assert own.directory.exists() and own.show("a", "link")
    finally:
        other.kill()
        own.destroy()
    assert not own.directory.exists() and not Path("/run/netns", f"{own.prefix}a").exists()
