# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: python3 topology up|down [--check] < PLAN.json

Bring the lab's underlay and nodes up, or take everything down.  Each change is one line of
output; no output means that nothing was to do.
"""

from __future__ import annotations

import json
import sys

import node_files
import nodes
import plan
import podman
import routers
import underlay
from system import RUN, Changes


def up(changes: Changes) -> None:
    """Make the lab what the plan says."""
    wanted = plan.parse(json.load(sys.stdin))
    if not changes.check:
        RUN.mkdir(mode=0o755, exist_ok=True)
    touched = underlay.build(wanted, changes)
    routers.configure(wanted, touched, changes)
    podman.prepare(changes)
    nodes.ensure(wanted, touched, changes)


def down(changes: Changes) -> None:
    """Leave no container, process, namespace, mount or file behind."""
    nodes.remove_all(changes)
    routers.stop(changes)
    podman.release(changes)
    underlay.remove(changes)
    node_files.remove_all(changes)


def main() -> None:
    """Run the command."""
    commands = {"up": up, "down": down}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in commands or sys.argv[2:] not in ([], ["--check"]):
        raise SystemExit(__doc__)
    commands[sys.argv[1]](Changes(check="--check" in sys.argv))


if __name__ == "__main__":
    main()
