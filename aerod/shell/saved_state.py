# SPDX-License-Identifier: GPL-3.0-or-later
"""What must survive a restart, in one JSON file that is only ever replaced whole."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from aerod.shell import clock

VERSION = 1


class SavedState:
    """The state file at ``path``; ``identity`` says whose state it is.

    State of another identity (the node's role, ID or DUID was changed) is not used.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self._path = path
        self._identity = identity

    def load(self) -> tuple[dict[str, Any] | None, str | None]:
        """(state with its ``age`` in seconds or None, a warning or None).

        A file that cannot be understood is renamed to ``*.corrupt`` and reported.
        """
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["version"] != VERSION:
                raise ValueError(f"version {document['version']!r}, known is {VERSION}")
            state = dict(document["state"])
            age = clock.from_real(max(0.0, time.time() - float(document["saved_at"])))
            identity = document["identity"]
        except FileNotFoundError:
            return None, None
        except OSError as error:
            return None, f"saved state cannot be read, starting without it: {error}"
        except (ValueError, TypeError, KeyError) as error:
            aside = self._path.with_suffix(".corrupt")
            with contextlib.suppress(OSError):
                self._path.replace(aside)
            return None, f"saved state moved to {aside}, starting without it: {error!r}"
        if identity != self._identity:
            return None, f"saved state in {self._path} is of {identity}, starting without it"
        return {**state, "age": age}, None

    def pack(self, state: dict[str, Any]) -> str:
        """The text of the file for a state of now."""
        document = {"version": VERSION, "identity": self._identity, "saved_at": time.time(), "state": state}
        return json.dumps(document)

    def write(self, text: str) -> None:
        """Replace the file by what :meth:`pack` returned; then it survives a crash of the machine."""
        write_atomically(self._path, text)


def write_atomically(path: Path, text: str, mode: int = 0o640) -> None:
    """Put ``text`` into the file at ``path`` so that a reader sees all of it or the old text."""
    temporary = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        # A half of it must not keep a full disk full.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
