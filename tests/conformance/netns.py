# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets and commands inside network namespaces."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL, _STXCSUM, _SGSO = 0x8946, 0x17, 0x24


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Let the calling thread be in ``namespace``; sockets made meanwhile stay there."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(other)
        yield
    finally:
        _enter(own)
        os.close(own)
        os.close(other)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def run(*command: str, check: bool = True, given: str | None = None) -> str:
    """The output of a command; AssertionError if it fails, unless ``check`` is False."""
    done = subprocess.run(command, capture_output=True, text=True, input=given, check=False)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout


def whole_packets(namespace: str, interface: str) -> None:
    """Let packets leave an interface as they would leave a card: checksums filled in, nothing joined."""
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in (_SGSO, _STXCSUM):
            value = bytearray(struct.pack("=II", command, 0))
            address = ctypes.addressof(ctypes.c_char.from_buffer(value))
            request = struct.pack("16sQ16x", interface.encode(), address)
            with contextlib.suppress(OSError):
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
