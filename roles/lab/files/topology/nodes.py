# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd nodes: start what is missing, bring back what has crashed, leave alone what is well."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import node_files
from plan import Plan
from podman import CGROUP, containers, in_view, podman, prepare
from system import PREFIX, Changes, digest, in_netns, netns_path, read_pid, run

BOOT_TIMEOUT = 60  # seconds
# systemd alone takes 7 inotify instances a node; the kernel allows 128 to all of root.
INOTIFY_INSTANCES = 1024
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")


def _pid_file(name: str) -> Path:
    return node_files.node_directory(name) / "pid"


def _conmon_pid(name: str) -> int:
    return read_pid(node_files.node_directory(name) / "conmon.pid")


def _is_up(name: str) -> bool:
    """Ask the kernel, not podman: podman calls a container running whose processes are dead."""
    return in_netns(read_pid(_pid_file(name)), name)


def _is_sound(name: str) -> bool:
    """A node without its conmon runs on, but can be neither stopped nor restarted."""
    try:
        monitor = Path(f"/proc/{_conmon_pid(name)}/comm").read_text().strip()
    except OSError:
        return False
    return _is_up(name) and monitor == "conmon"


def _run_command(plan: Plan, name: str) -> list[str]:
    directory = node_files.node_directory(name)
    mounts = {directory / "etc": "/etc/lab", plan.repository: "/srv/aero-repo"}
    command = ["run", "--detach", f"--name={PREFIX}{name}", f"--hostname={name}", plan.image, "/sbin/init"]
    command[2:2] = ["--systemd=always", "--privileged", "--pids-limit=0", "--log-driver=none"]
    command[2:2] = ["--ulimit=nofile=8192:8192", "--ulimit=nproc=8192:8192"]
    command[2:2] = [f"--network=ns:{netns_path(name)}", "--no-hosts", "--dns=none"]
    command[2:2] = [f"--pidfile={_pid_file(name)}", f"--conmon-pidfile={directory / 'conmon.pid'}"]
    command[2:2] = [f"--volume={source}:{target}:ro" for source, target in mounts.items()]
    return command


def _recipe(plan: Plan, name: str) -> str:
    return digest(*_run_command(plan, name))


def _inside(name: str, *command: str, check: bool = True) -> str:
    """Run a command in a node."""
    return run("nsenter", "--all", f"--target={read_pid(_pid_file(name))}", "--", *command, check=check)


def _wait_for_boot(name: str) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT
    state = "offline"
    while time.monotonic() < deadline:
        if _is_up(name):
            state = _inside(name, "systemctl", "is-system-running", check=False).strip()
            if state in ("running", "degraded"):
                return
        time.sleep(0.2)
    raise SystemExit(f"node {name}: systemd is {state or 'silent'} after {BOOT_TIMEOUT} s")


def _remove_cgroups(container_id: str) -> None:
    """A crashed container leaves its cgroups behind; those of a live one do not let themselves be removed."""
    find = ("find", str(CGROUP), "-depth", "-type", "d", "-path", f"*/libpod-{container_id}*")
    for path in run(*in_view(*find), check=False).split():
        run(*in_view("rmdir", path), check=False)


def _remove(name: str) -> None:
    """After a crash podman needs a second try, or the node's init to be ended first."""
    container = f"{PREFIX}{name}"
    for _unused in range(4):
        found = containers(f"{container}$").get(container)
        if found is None:
            return
        podman("rm", "--force", "--time=3", container, check=False)
        _remove_cgroups(found["Id"])
        if _is_up(name):
            os.kill(read_pid(_pid_file(name)), signal.SIGKILL)
            time.sleep(0.5)
    raise SystemExit(f"podman does not remove {container}")


def _create(plan: Plan, name: str) -> None:
    command = _run_command(plan, name)
    command.insert(2, f"--label=aero-lab={_recipe(plan, name)}")
    (node_files.node_directory(name) / "packages.list").unlink(missing_ok=True)
    podman(*command)
    _wait_for_boot(name)


def _recreate(plan: Plan, name: str) -> None:
    _remove(name)
    _create(plan, name)


def _start(plan: Plan, name: str) -> None:
    """Start a stopped node with its disk as it was; one that does not start is made anew."""
    podman("start", f"{PREFIX}{name}", check=False)
    if _is_sound(name):
        _wait_for_boot(name)
    else:
        _recreate(plan, name)


def _restart(plan: Plan, name: str) -> None:
    podman("stop", "--time=10", f"{PREFIX}{name}", check=False)
    _start(plan, name)


def _ensure(plan: Plan, name: str, container: dict | None, outdated: bool, changes: Changes) -> None:
    if container is None:
        changes.make(f"start {name}", lambda: _create(plan, name))
    elif container["Labels"].get("aero-lab") != _recipe(plan, name):
        changes.make(f"make {name} anew", lambda: _recreate(plan, name))
    elif _is_sound(name):
        if outdated:
            changes.make(f"restart {name}", lambda: _restart(plan, name))
    elif container["State"] in ("exited", "created") and not _is_up(name):
        changes.make(f"start {name} again", lambda: _start(plan, name))
    else:
        changes.make(f"make {name} anew, it has crashed", lambda: _recreate(plan, name))
    _refresh_packages(plan, name, changes)


def _refresh_packages(plan: Plan, name: str, changes: Changes) -> None:
    """Let apt in the node know what the repository has; packages.list is what it was told last."""
    known = node_files.node_directory(name) / "packages.list"
    offered = Path(plan.repository, "Packages").read_text()
    if known.exists() and known.read_text() == offered:
        return

    def refresh() -> None:
        _inside(name, "apt-get", "-qq", "update")
        known.write_text(offered)

    changes.make(f"update the package list of {name}", refresh)


def ensure(plan: Plan, touched: set[str], changes: Changes) -> None:
    """Bring all nodes up; ``touched`` are those whose cables are new."""
    if int(INOTIFY.read_text()) < INOTIFY_INSTANCES:
        changes.make(f"raise {INOTIFY}", lambda: INOTIFY.write_text(str(INOTIFY_INSTANCES)))
    running = containers(PREFIX)
    for name in running.keys() - {f"{PREFIX}{name}" for name in plan.nodes}:
        changes.make(f"remove {name}", lambda name=name: _remove(name.removeprefix(PREFIX)))
    with ThreadPoolExecutor(max_workers=4) as pool:
        work = [
            pool.submit(
                _ensure,
                plan,
                name,
                running.get(f"{PREFIX}{name}"),
                node_files.write(plan, name, changes) or name in touched,
                changes,
            )
            for name in plan.nodes
        ]
    for done in work:
        done.result()


def remove_all(changes: Changes) -> None:
    """Remove every container of the lab."""
    listed = containers(PREFIX)
    if not listed:
        return
    prepare(changes)
    with ThreadPoolExecutor(max_workers=4) as pool:
        work = [
            pool.submit(changes.make, f"remove {name}", lambda name=name: _remove(name.removeprefix(PREFIX)))
            for name in listed
        ]
    for done in work:
        done.result()
