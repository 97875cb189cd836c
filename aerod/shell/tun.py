# SPDX-License-Identifier: GPL-3.0-or-later
"""The AERO interface as a TUN device (Linux Documentation/networking/tuntap.rst), and TAP devices like it."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress

_DEVICE = "/dev/net/tun"
_TUNSETIFF, _TUNGETIFF = 0x400454CA, 0x800454D2
_TUNSETPERSIST, _TUNSETOWNER = 0x400454CB, 0x400454CC
_IFF_TUN, _IFF_TAP, _IFF_NO_PI = 0x0001, 0x0002, 0x1000
_LARGEST_PACKET = 65535

_HINTS = {
    errno.EBUSY: "another process has it, is aerod running already?",
    errno.EPERM: "it is missing or another user's: run aerod --prepare as root first",
}


class TunError(OSError):
    """The TUN device cannot be used; the text says why."""


def attach(name: str, tap: bool = False) -> int:
    """Attach to the TUN (or TAP) device ``name``, made if it is not there; returns its descriptor."""
    try:
        fd = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TunError(error.errno, f"{_DEVICE} cannot be opened: {error.strerror}") from error
    try:
        flags = (_IFF_TAP if tap else _IFF_TUN) | _IFF_NO_PI
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    except OSError as error:
        os.close(fd)
        hint = _HINTS.get(error.errno or 0, error.strerror)
        kind = "TAP" if tap else "TUN"
        raise TunError(error.errno, f"cannot attach to {kind} device {name}: {hint}") from error
    return fd


def is_attached(fd: int, name: str) -> bool:
    """Whether ``fd`` is still attached to the TUN device ``name``, which may have been removed."""
    try:
        answer = fcntl.ioctl(fd, _TUNGETIFF, bytes(40))
    except OSError:
        return False
    return answer[:16].rstrip(b"\0") == name.encode()


def make_persistent(name: str, owner: int, tap: bool = False) -> None:
    """Make the TUN (or TAP) device ``name`` stay without a process, for user ID ``owner`` to use."""
    fd = attach(name, tap)
    try:
        fcntl.ioctl(fd, _TUNSETOWNER, owner)
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    finally:
        os.close(fd)


class Tun:
    """An attached TUN device."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._refused = 0
        os.set_blocking(fd, False)

    def fileno(self) -> int:
        """The descriptor, to wait on and to hand over."""
        return self._fd

    def read(self, limit: int) -> Iterator[bytes]:
        """Yield up to ``limit`` packets that are waiting."""
        with suppress(BlockingIOError):
            for _packet in range(limit):
                yield os.read(self._fd, _LARGEST_PACKET)

    def write(self, packet: bytes) -> None:
        """Give a packet to the kernel's network layer."""
        try:
            os.write(self._fd, packet)
        except OSError:  # malformed for the kernel, interface down, or out of memory
            self._refused += 1

    def counters(self) -> dict[str, int]:
        """How many packets the kernel refused."""
        return {"tun_write_refused": self._refused}
