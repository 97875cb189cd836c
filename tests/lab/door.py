# SPDX-License-Identifier: GPL-3.0-or-later
"""The door through which the lab tests reach the running lab: the same commands that people use."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv" / "bin"
RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)"
    r"\s+failed=(?P<failed>\d+)\s+skipped=(?P<skipped>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class PlaybookRun:
    """What a run of ansible-playbook said: exit code, output, and per host its recap numbers."""

    code: int
    output: str
    recap: dict[str, dict[str, int]]

    @property
    def changed(self) -> dict[str, int]:
        return {host: numbers["changed"] for host, numbers in self.recap.items() if numbers["changed"]}


def run_playbook(
    name: str, *arguments: str, inventory: str = "inventories/lab", ok: bool = True
) -> PlaybookRun:
    """Run ``playbooks/<name>.yml``; with ``ok`` a failure of the play fails the test with its output."""
    command = [VENV / "ansible-playbook", "-i", inventory, f"playbooks/{name}.yml", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    recap = {
        match["host"]: {key: int(value) for key, value in match.groupdict().items() if key != "host"}
        for match in RECAP.finditer(output)
    }
    if ok and done.returncode != 0:
        pytest.fail(f"{shlex.join(map(str, command))} ended with {done.returncode}\n{output[-8000:]}")
    return PlaybookRun(done.returncode, output, recap)


def on_node(node: str, command: str, check: bool = True) -> str:
    """Run a shell command on a lab node through the lab's own connection and return what it printed."""
    pid = Path(f"/run/aero-lab/{node}/pid").read_text().strip()
    done = subprocess.run(
        ["nsenter", "--all", "--target", pid, "--", "/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    if check and done.returncode != 0:
        pytest.fail(f"{node}: {command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def in_namespace(name: str, *command: str) -> list[str]:
    """The command line that runs ``command`` in the network namespace of a lab node or router."""
    return ["nsenter", f"--net=/run/netns/aero-{name}", "--", *command]


def aeroctl(node: str, command: str) -> object:
    return json.loads(on_node(node, f"aeroctl {command} --json"))


def attach_anew(client: str) -> None:
    """Have a Client give its leases back and get them again."""
    on_node(client, "aeroctl release")
    wait_for(lambda: not aeroctl(client, "leases"), f"release of {client}")
    on_node(client, "systemctl restart aerod")
    wait_for(lambda: [lease["state"] for lease in aeroctl(client, "leases")] == ["bound", "bound"], f"leases of {client}")


def wait_for(condition: Callable[[], object], what: str, timeout: float = 30.0) -> object:
    """Poll ``condition`` until it is true, at most ``timeout`` seconds; else the test fails with ``what``."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout:.0f} s: {what} (last: {value!r})")
        time.sleep(0.2)
