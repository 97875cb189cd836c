# SPDX-License-Identifier: GPL-3.0-or-later
"""What the running lab costs: an unchanged site.yml, and aerod at rest.

Every figure stands beside a baseline taken in the same run, since machines and their load differ:

* ``site.yml`` with nothing to change against a play of as many ``ping`` host-tasks,
* resident memory of ``aerod`` (PSS) against a Python interpreter that imported nothing,
* CPU of ``aerod`` over a minute of rest as a share of one core.

Run it as root with the lab up: ``make bench``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
REST = 60.0
NODES = ("r1", "r2", "s1", "s2", "c1", "c2")


def timed(*command: str) -> tuple[float, str]:
    """Wall time in seconds of a command that must succeed, and its output."""
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return time.monotonic() - start, done.stdout


def node_pid(node: str) -> int:
    return int(Path(f"/run/aero-lab/{node}/pid").read_text())


def main_pid(node: str, unit: str) -> int:
    """The host's process number of a unit's main process in a node."""
    inner = subprocess.run(
        [
            "nsenter",
            "--all",
            "--target",
            str(node_pid(node)),
            "--",
            "systemctl",
            "show",
            "-p",
            "MainPID",
            "--value",
            unit,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    namespace = os.readlink(f"/proc/{node_pid(node)}/ns/pid")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
                if os.readlink(entry / "ns/pid") == namespace and re.search(
                    rf"^NSpid:.*\t{inner}$", status, re.M
                ):
                    return int(entry.name)
            except OSError:
                continue
    sys.exit(f"{node}: no process of {unit}")


def pss_kb(pid: int) -> int:
    return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_site() -> None:
    wall, output = timed(str(BIN / "ansible-playbook"), "-i", "inventories/lab", "playbooks/site.yml")
    tasks = {
        host: int(ok) + int(skipped)
        for host, ok, skipped in re.findall(r"^(\S+)\s+: ok=(\d+).*?skipped=(\d+)", output, re.M)
    }
    total = sum(tasks.values())
    pings = round(total / len(tasks))
    start = time.monotonic()
    for _unused in range(pings):
        timed(str(BIN / "ansible"), "-i", "inventories/lab", ",".join(tasks), "-m", "ansible.builtin.ping")
    baseline = time.monotonic() - start
    print(
        f"unchanged site.yml        {wall:7.1f} s   {total} host-tasks, at most {max(tasks.values())} a node"
    )
    print(f"as many pings             {baseline:7.1f} s   ratio {wall / baseline:.2f}")


def bench_rest() -> None:
    idle = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"], stdout=subprocess.PIPE
    )
    idle.stdout.readline()
    baseline = pss_kb(idle.pid)
    idle.kill()
    pids = {node: main_pid(node, "aerod") for node in NODES}
    before = {node: cpu_seconds(pid) for node, pid in pids.items()}
    time.sleep(REST)
    print(f"bare Python interpreter   {baseline / 1024:7.1f} MB")
    for node, pid in pids.items():
        share = (cpu_seconds(pid) - before[node]) / REST
        memory, ratio = pss_kb(pid) / 1024, pss_kb(pid) / baseline
        print(f"aerod at rest on {node:<8} {memory:7.1f} MB   ratio {ratio:.1f} {share:8.2%} of a core")


if __name__ == "__main__":
    bench_site()
    bench_rest()
