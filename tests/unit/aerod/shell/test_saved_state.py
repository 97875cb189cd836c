# SPDX-License-Identifier: GPL-3.0-or-later
"""State survives a restart, and nothing else does."""

from __future__ import annotations

import errno
import json

import pytest

from aerod.shell.saved_state import SavedState

IDENTITY = {"role": "server", "id": 11}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.json"


def save(path, state):
    file = SavedState(path, IDENTITY)
    file.write(file.pack(state))


def test_saved_is_loaded(path):
    """What was saved comes back with its age."""
    save(path, {"clients": [1, 2]})
    state, warning = SavedState(path, IDENTITY).load()
    assert state["clients"] == [1, 2] and 0 <= state["age"] < 60
    assert warning is None


def test_first_start(path):
    """No file is no state, and nothing to warn of."""
    assert SavedState(path, IDENTITY).load() == (None, None)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "state": 3}', "\x00\xff"]
)
def test_corrupt_file_is_put_aside(path, text):
    """A file that makes no sense is kept for a look, and the start is clean."""
    path.write_text(text)
    state, warning = SavedState(path, IDENTITY).load()
    assert state is None and "state.corrupt" in warning
    assert path.with_suffix(".corrupt").read_text() == text
    assert not path.exists()


def test_state_of_another_node_is_not_used(path):
    """After a change of role, ID or DUID the old state would be wrong."""
    save(path, {"clients": [1]})
    state, warning = SavedState(path, {"role": "server", "id": 12}).load()
    assert state is None and "is of" in warning


def test_clock_that_went_back(path):
    """The age is never negative."""
    save(path, {})
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"saved_at": document["saved_at"] + 1e6}))
    assert SavedState(path, IDENTITY).load()[0]["age"] == 0


def test_half_written_file_of_a_crash_is_in_nobodys_way(path):
    """The file is replaced whole; what an interrupted save left is overwritten."""
    path.with_suffix(".new").write_text("half")
    save(path, {"a": 1})
    assert SavedState(path, IDENTITY).load()[0]["a"] == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_full_disk(path, monkeypatch):
    """The old state stays whole, the half of the new one goes, and the error is the caller's to count."""
    save(path, {"a": 1})

    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, {"a": 2})
    assert SavedState(path, IDENTITY).load()[0]["a"] == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_file_that_cannot_be_read(path):
    """The start is clean."""
    path.mkdir()
    state, warning = SavedState(path, IDENTITY).load()
    assert state is None and "cannot be read" in warning
