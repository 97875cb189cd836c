# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on the machine that runs the lab, and the record of what they changed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

RUN = Path("/run/aero-lab")
NETNS = Path("/run/netns")
PREFIX = "aero-"


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a command and return its standard output; a failure says what the command said."""
    result = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
    if check and result.returncode:
        raise SystemExit(f"{' '.join(command)}: {result.stderr.strip() or f'exit {result.returncode}'}")
    return result.stdout


def ip_json(*arguments: str) -> list[dict]:
    """Return what ``ip -json`` says, an empty list when it says nothing."""
    return json.loads(run("ip", "-json", *arguments) or "[]")


def netns_path(name: str) -> Path:
    """Return the file that holds the namespace of a node or router."""
    return NETNS / f"{PREFIX}{name}"


def digest(*parts: str) -> str:
    """Return a short mark of a configuration, to tell whether it is the one in place."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def in_netns(pid: int, name: str) -> bool:
    """Say whether the process lives in the namespace; pids are used again, namespaces tell."""
    try:
        return os.path.samefile(f"/proc/{pid}/ns/net", netns_path(name))
    except OSError:
        return False


def read_pid(path: Path) -> int:
    """Return the process id a pid file holds, 0 when there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


class Changes:
    """Carries out changes, or in check mode only names them."""

    def __init__(self, check: bool) -> None:
        self.check = check

    def make(self, text: str, change: Callable[[], object]) -> None:
        """Report a change and, outside check mode, make it."""
        # One write: nodes are started in several threads.
        print(f"{text}\n", end="", flush=True)
        if not self.check:
            change()

    def write(self, path: Path, content: str) -> bool:
        """Write a file if its content differs; return whether it did."""
        if path.is_file() and path.read_text() == content:
            return False

        def write() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

        self.make(f"write {path}", write)
        return True
