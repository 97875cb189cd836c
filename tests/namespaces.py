# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces and the processes in them, for whatever test needs more than one machine.

Each name begins with the process that made it, ``aerotest-<pid>.<its start>-``: any number of runs stand
side by side, and what a killed one left behind is known and removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_PREFIX = "aerotest-"
_NETNS, _ETC = Path("/run/netns"), Path("/etc/netns")  # ip-netns(8)
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL, _STXCSUM, _SGSO = 0x8946, 0x17, 0x24
_numbers = itertools.count()

# Times to wait are what an idle machine may take; a busy one gets so many times as long.
PATIENCE = 3


def run(*command: str, check: bool = True, given: str | None = None, cwd: Path | None = None) -> str:
    """The output of a command; AssertionError if it fails, unless ``check`` is False."""
    done = subprocess.run(command, capture_output=True, text=True, input=given, cwd=cwd, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout


def wait_for(condition: Callable[[], Any], seconds: float = 20.0, what: str = "") -> Any:
    """The first true value of ``condition``; AssertionError when there is none in time."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what or getattr(condition, '__name__', condition)} did not come true in {seconds * PATIENCE} s"
        time.sleep(0.05)


def missing(*programs: str) -> str | None:
    """What this machine lacks for tests with namespaces and these programs."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    absent = [name for name in ("ip", "ping", *programs) if shutil.which(name) is None]
    return f"needs {', '.join(absent)}" if absent else None


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Let the calling thread be in ``namespace``; sockets made meanwhile stay there."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(_NETNS / namespace, os.O_RDONLY)
    try:
        _enter(other)
        yield
    finally:
        _enter(own)
        os.close(own)
        os.close(other)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):  # os.setns is newer than Python 3.11
        raise OSError(ctypes.get_errno(), "setns")


def whole_packets(namespace: str, interface: str) -> None:
    """Let packets leave an interface as they would leave a card: checksums filled in, nothing joined."""
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in (_SGSO, _STXCSUM):
            value = bytearray(struct.pack("=II", command, 0))
            address = ctypes.addressof(ctypes.c_char.from_buffer(value))
            request = struct.pack("16sQ16x", interface.encode(), address)
            with contextlib.suppress(OSError):
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)


class Namespaces:
    """Some namespaces, a directory, and processes; ``destroy`` leaves nothing of them.

    A namespace is called ``prefix`` and the name it has here.
    """

    def __init__(self) -> None:
        _remove_leftovers_once()
        self.prefix = f"{_PREFIX}{_owner(os.getpid())}-{next(_numbers)}-"
        self.directory = Path(tempfile.mkdtemp(prefix=self.prefix))
        self.directory.chmod(0o755)  # daemons have users of their own
        self._names: list[str] = []
        self._processes: dict[str, subprocess.Popen] = {}

    def add(self, *names: str) -> None:
        """Make namespaces, with ``lo`` up and a directory each."""
        self._names += names
        run("ip", "-batch", "-", given="".join(f"netns add {self.prefix}{name}\n" for name in names))
        for name in names:
            self.ip(name, "link set lo up")
            (self.directory / name).mkdir()

    def destroy(self) -> None:
        """End all, remove all."""
        for name in list(self._processes):
            self.kill(name)
        _remove(*(self.prefix + name for name in self._names))
        self._names.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def resolve_at(self, address: str, *names: str) -> None:
        """Let processes that are started from now on in these namespaces ask the name server at ``address``."""
        for name in names:
            directory = _ETC / (self.prefix + name)
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "resolv.conf").write_text(f"nameserver {address}\n")

    # Processes

    def within(self, name: str) -> tuple[str, ...]:
        """What to put before a command that is to run in a namespace."""
        return ("ip", "netns", "exec", self.prefix + name)

    def spawn(self, process: str, name: str, *command: str, cwd: Path | None = None, **variables: str) -> None:
        """Start a process in a namespace; its output is ``log(process)``."""
        with (self.directory / f"{process}.log").open("a") as log:
            self._processes[process] = subprocess.Popen(
                [*self.within(name), *command], stdout=log, stderr=log, cwd=cwd, env=os.environ | variables
            )

    def kill(self, process: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process that was started here, and wait for its end."""
        ended = self._processes.pop(process)
        ended.send_signal(number)
        try:
            ended.wait(10)
        finally:
            ended.kill()
            ended.wait()

    def has_ended(self, process: str) -> bool:
        """Whether a process ended by itself."""
        return self._processes[process].poll() is not None

    def log(self, process: str) -> str:
        """All that a process wrote."""
        path = self.directory / f"{process}.log"
        return path.read_text() if path.exists() else ""

    def pid(self, process: str) -> int:
        """The process ID of a process that was started here."""
        return self._processes[process].pid

    def resident(self, process: str) -> int:
        """The bytes of memory that a process has."""
        statm = Path(f"/proc/{self.pid(process)}/statm").read_text()
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # Commands

    def run(self, name: str, *command: str, **how: Any) -> str:
        """The output of a command in a namespace; keywords as for :func:`run`."""
        return run(*self.within(name), *command, **how)

    def ip(self, name: str, *lines: str) -> None:
        """ip(8) commands in a namespace, all in one go."""
        run("ip", "-n", self.prefix + name, "-batch", "-", given="\n".join(lines) + "\n")

    def show(self, name: str, *arguments: str) -> list[dict[str, Any]]:
        """What ``ip -j`` shows, nothing for a table that does not exist."""
        return json.loads(run("ip", "-n", self.prefix + name, "-j", *arguments, check=False) or "[]")


# Whose is it


def _owner(pid: int) -> str | None:
    """The process that has this number now, None if there is none: the number alone may be used again."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return None
    return f"{pid}.{after_name.split()[19]}"


def _is_left_over(name: str) -> bool:
    """Whether a process that has ended made this."""
    owner = name.removeprefix(_PREFIX).partition("-")[0]
    pid = owner.partition(".")[0]
    return pid.isdecimal() and _owner(int(pid)) != owner


def remove_leftovers() -> None:
    """Remove what killed runs left."""
    _remove(*(path.name for path in _NETNS.glob(f"{_PREFIX}*") if _is_left_over(path.name)))
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_left_over(path.name):
            shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _remove_leftovers_once() -> None:
    remove_leftovers()


def _remove(*namespaces: str) -> None:
    """Remove namespaces with the processes that are still in them."""
    inodes = set()
    for name in namespaces:
        with contextlib.suppress(OSError):  # whoever removes the same leftovers at the same time may be faster
            inodes.add((_NETNS / name).stat().st_ino)
    _kill_within(inodes)
    run("ip", "-force", "-batch", "-", given="".join(f"netns del {name}\n" for name in namespaces), check=False)
    for name in namespaces:
        shutil.rmtree(_ETC / name, ignore_errors=True)


def _kill_within(inodes: set[int]) -> None:
    """End the processes in network namespaces: such as children of what was killed."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "ns" / "net").stat().st_ino in inodes:
                os.kill(int(process.name), signal.SIGKILL)
