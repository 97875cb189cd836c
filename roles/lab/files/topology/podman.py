# SPDX-License-Identifier: GPL-3.0-or-later
"""podman as the lab needs it: systemd in a container wants cgroup v2.

On a machine with cgroup v1 every call enters one pinned mount namespace that shows cgroup v2
instead.  It must be one for all calls: podman counts its mounts globally while each namespace
has its own, and a container started in one cannot be restarted in another.
"""

from __future__ import annotations

import json
from pathlib import Path

from system import RUN, Changes, run

CGROUP = Path("/sys/fs/cgroup")
_DIRECTORY = RUN / "cgroup2"
_PIN = _DIRECTORY / "mount-namespace"


def has_cgroup2() -> bool:
    """Say whether the machine itself shows cgroup v2."""
    return run("stat", "--file-system", "--format=%T", str(CGROUP)).strip() == "cgroup2fs"


def _pinned() -> bool:
    """A namespace that is pinned to a file is a mount on it."""
    return str(_PIN) in Path("/proc/self/mountinfo").read_text()


def _pin() -> None:
    _DIRECTORY.mkdir(parents=True, exist_ok=True)
    run("mount", "--bind", str(_DIRECTORY), str(_DIRECTORY))
    run("mount", "--make-private", str(_DIRECTORY))
    _PIN.touch()
    show = f"umount -R {CGROUP} && mount -t cgroup2 cgroup2 {CGROUP}"
    run("unshare", f"--mount={_PIN}", "--propagation", "slave", "sh", "-c", show)


def prepare(changes: Changes) -> None:
    """Pin the mount namespace where one is needed."""
    if not has_cgroup2() and not _pinned():
        changes.make("pin a mount namespace with cgroup v2", _pin)


def release(changes: Changes) -> None:
    """Let the pinned mount namespace go."""

    def unpin() -> None:
        run("umount", str(_PIN), check=False)
        run("umount", str(_DIRECTORY), check=False)

    if _pinned():
        changes.make("release the mount namespace", unpin)


def in_view(*command: str) -> tuple[str, ...]:
    """Return the command as it runs where cgroup v2 is seen."""
    return ("nsenter", f"--mount={_PIN}", "--", *command) if _pinned() else command


def podman(*arguments: str, check: bool = True) -> str:
    """Run podman and return its output."""
    return run(*in_view("podman", *arguments), check=check)


def containers(prefix: str) -> dict[str, dict]:
    """Return the containers whose names start with ``prefix``, as podman describes them."""
    listed = json.loads(podman("ps", "--all", "--format", "json", "--filter", f"name=^{prefix}") or "[]")
    return {container["Names"][0]: container for container in listed}
