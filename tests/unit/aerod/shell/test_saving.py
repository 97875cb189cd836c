# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is slow or full holds nothing up, and the last state is the one that is on it."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from threading import Event

import pytest

from aerod.shell.loop import Loop
from aerod.shell.saved_state import SavedState
from aerod.shell.saving import Saving


class Saver:
    """A loop with a state that is a number."""

    def __init__(self, path):
        self.loop = Loop()
        self.file = SavedState(path, {"role": "client"})
        self.counters = Counter()
        self.number = 0
        self.saving = Saving(self.loop, self.file, lambda: {"number": self.number}, self.counters)

    def run(self, seconds: float) -> None:
        """Run the loop for so long."""
        self.loop.timer(self.loop.stop).set(self.loop.now() + seconds)
        self.loop.run()

    def run_until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run until ``condition()`` is true."""
        look = self.loop.timer(lambda: self.loop.stop() if condition() else look.set(self.loop.now() + 0.01))
        look.set(self.loop.now())
        self.loop.run()

    def saved(self) -> int | None:
        state, _warning = self.file.load()
        return state and state["number"]


@pytest.fixture
def saver(tmp_path):
    return Saver(tmp_path / "state.json")


@pytest.fixture
def slow_disk(monkeypatch):
    """An event that lets the disk go on, and one that tells that it was asked to write."""
    go_on, asked = Event(), Event()

    def fsync(_fd):
        asked.set()
        assert go_on.wait(10)

    monkeypatch.setattr(os, "fsync", fsync)
    return go_on, asked


def test_the_loop_goes_on_while_a_disk_takes_its_time(saver, slow_disk):
    """Packets come and go; what changes meanwhile is saved after that."""
    go_on, asked = slow_disk
    saver.number = 1
    saver.saving.soon()
    saver.run_until(asked.is_set)
    assert saver.saved() is None
    saver.number = 2
    saver.saving.soon()
    saver.run(0.3)
    go_on.set()
    saver.run_until(lambda: saver.saved() == 2)


def test_what_must_be_on_the_disk_now_comes_after_what_is_being_written(saver, slow_disk):
    """And is not replaced by it."""
    go_on, asked = slow_disk
    saver.number = 1
    saver.saving.soon()
    saver.run_until(asked.is_set)
    go_on.set()
    saver.number = 2
    saver.saving.now()
    assert saver.saved() == 2
    saver.run(0.05)
    assert saver.saved() == 2


def test_a_full_disk_is_counted_told_once_and_tried_again(saver, monkeypatch, caplog):
    caplog.set_level("INFO", "aerod")
    with monkeypatch.context() as patched:
        patched.setattr("aerod.shell.saving._AGAIN", 0.05)
        patched.setattr(os, "fsync", _full)
        saver.saving.soon()
        saver.run_until(lambda: saver.counters["save_failed"] > 1)
        assert saver.saving.error == "No space left on device"
    saver.number = 7
    saver.run_until(lambda: saver.saving.error is None)
    assert saver.saved() == 7
    assert [record.getMessage() for record in caplog.records] == [
        "the state could not be saved, a restart would lose it: No space left on device",
        "the state is saved again",
    ]


def _full(_fd):
    raise OSError(errno.ENOSPC, "No space left on device")
