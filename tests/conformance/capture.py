# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures: a thread that takes every frame of a namespace, and frames taken apart when asked.

On the underlay bridge each frame is seen once, as it enters from the node that really sent it,
whatever source address it has: ``frame.node`` tells that node.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

from scapy.layers.inet6 import IPv6ExtHdrFragment

from tests.conformance.packets import AERO, AERO_PORT, GUE, GUE_PORT, Dhcp, dhcp, ip, nd_type
from tests.conformance.reader import Reader
from tests.namespaces import PATIENCE, inside

_ETH_P_ALL = socket.htons(3)
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35
_CONTROL = socket.CMSG_SPACE(16)
_OUTGOING = 4
_MLD_ROUTERS = "ff02::16"
_WITH_MAC = (1, 772)  # Ethernet and loopback; a TUN has no header


class Frame:
    """One frame; ``packet`` is its bytes from the IP header on."""

    def __init__(self, when: float, interface: str, outgoing: bool, packet: bytes) -> None:
        self.time = when
        self.interface = interface
        self.node = interface.removeprefix("v-")
        self.outgoing = outgoing
        self.packet = packet

    def __repr__(self) -> str:
        what = self.inner or self.payload.hex()[:40] if self.is_udp else self.packet[:48].hex()
        place = f"{self.src}:{self.sport} > {self.dst}:{self.dport}" if self.is_udp else self.interface
        return f"<{self.node} {place} {what!r}>"

    # The (outer) IP header

    @property
    def version(self) -> int:
        return self.packet[0] >> 4 if self.packet else 0

    @cached_property
    def ip(self):
        """The whole packet by scapy."""
        return ip(self.packet)

    @cached_property
    def src(self) -> str:
        return self._address(12, 8)

    @cached_property
    def dst(self) -> str:
        return self._address(16, 24)

    def _address(self, at4: int, at6: int) -> str:
        if self.version == 4:
            return socket.inet_ntop(socket.AF_INET, self.packet[at4 : at4 + 4])
        if self.version != 6:
            return ""
        return socket.inet_ntop(socket.AF_INET6, self.packet[at6 : at6 + 16])

    @property
    def ttl(self) -> int:
        """TTL or Hop Limit."""
        return self.packet[8 if self.version == 4 else 7]

    @property
    def tos(self) -> int:
        """TOS or Traffic Class."""
        if self.version == 4:
            return self.packet[1]
        return struct.unpack_from("!H", self.packet)[0] >> 4 & 0xFF

    @property
    def flow_label(self) -> int:
        return struct.unpack_from("!I", self.packet)[0] & 0xFFFFF

    @property
    def df(self) -> bool:
        return self.version == 4 and bool(self.packet[6] & 0x40)

    @property
    def protocol(self) -> int:
        return self.packet[9 if self.version == 4 else 6] if self.version in (4, 6) else 0

    @property
    def is_ip_fragment(self) -> bool:
        """Whether the underlay's IP cut this one."""
        if self.version == 4:
            return bool(struct.unpack_from("!H", self.packet, 6)[0] & 0x3FFF)
        return self.protocol == 44

    @property
    def length(self) -> int:
        """Bytes of the (outer) IP packet."""
        if self.version == 4:
            return struct.unpack_from("!H", self.packet, 2)[0]
        return 40 + struct.unpack_from("!H", self.packet, 4)[0]

    # UDP

    @property
    def _transport(self) -> int:
        return (self.packet[0] & 15) * 4 if self.version == 4 else 40

    @cached_property
    def is_udp(self) -> bool:
        return self.version in (4, 6) and self.protocol == 17 and len(self.packet) >= self._transport + 8

    def _udp(self, at: int) -> int:
        return struct.unpack_from("!H", self.packet, self._transport + at)[0] if self.is_udp else 0

    @property
    def sport(self) -> int:
        return self._udp(0)

    @property
    def dport(self) -> int:
        return self._udp(2)

    @property
    def udp_length(self) -> int:
        return self._udp(4)

    @property
    def udp_checksum(self) -> int:
        return self._udp(6)

    @cached_property
    def payload(self) -> bytes:
        """The UDP payload."""
        return self.packet[self._transport + 8 : self.length] if self.is_udp else b""

    # The tunnel, in any of its forms

    @cached_property
    def _carried(self) -> tuple[AERO | GUE | IPv6ExtHdrFragment | None, bytes] | None:
        """The encapsulation header, if there is one, and what follows it; None for what is no tunnel packet."""
        if self.is_udp and AERO_PORT in (self.sport, self.dport):
            header = AERO(self.payload) if self.payload and self.payload[0] >> 4 == 0 else None
            return header, header.body if header is not None else self.payload
        if self.is_udp and GUE_PORT in (self.sport, self.dport):
            header = GUE(self.payload)
            return header, header.body
        if self.version not in (4, 6) or self.protocol not in (4, 41, 44):
            return None
        rest = self.packet[self._transport : self.length]
        if self.protocol != 44:
            return None, rest
        return IPv6ExtHdrFragment(rest[:8]), rest[8:]

    @property
    def is_tunnel(self) -> bool:
        """Whether this is a tunnel packet: UDP on AERO's or GUE's port, or IP in IP."""
        return self._carried is not None

    @property
    def header(self) -> AERO | GUE | IPv6ExtHdrFragment | None:
        """What stands between the outer headers and the inner packet, None if nothing does."""
        return self._carried[0] if self._carried else None

    @property
    def aero(self) -> AERO | None:
        """The AERO header, None if there is none."""
        return self.header if isinstance(self.header, AERO) else None

    @property
    def gue(self) -> GUE | None:
        """The GUE header, None if there is none."""
        return self.header if isinstance(self.header, GUE) else None

    @property
    def body(self) -> bytes:
        """The inner packet, or the slice of it, as bytes; trailing bytes of a probe included."""
        return self._carried[1] if self._carried else b""

    @cached_property
    def piece(self) -> Piece | None:
        """What a tunnel fragment says about itself, None for a whole packet."""
        header = self.header
        if isinstance(header, IPv6ExtHdrFragment):
            return Piece(header.offset * 8, bool(header.m), header.id, header.nh)
        if isinstance(header, AERO) and header.F:
            return Piece(header.frag * 8, bool(header.M), header.ident, header.nh)
        if isinstance(header, GUE) and header.flags & 0x0800:
            return Piece(header.frag * 8, bool(header.M), header.ident, header.orig)
        return None

    @cached_property
    def inner(self):
        """The inner packet by scapy; None for fragments after the first and what is no tunnel packet."""
        return None if self.piece and self.piece.offset else ip(self.body)

    @cached_property
    def nd(self) -> int | None:
        """The type of the ND message inside, None if there is none."""
        return nd_type(self.body) if self.inner is not None else None

    @cached_property
    def dhcp(self) -> Dhcp | None:
        """The DHCPv6 message inside, None if there is none or only a part of it."""
        return dhcp(self.body) if self.is_tunnel and self.piece is None else None

    @cached_property
    def is_mld(self) -> bool:
        """Whether a kernel reports its multicast groups inside, as it does by itself now and then."""
        return self.inner is not None and self.inner.dst == _MLD_ROUTERS

    @cached_property
    def is_data(self) -> bool:
        """Whether the tunnel packet is whole and neither ND nor DHCPv6 nor a kernel's own."""
        return not (self.inner is None or self.piece or self.is_mld) and self.nd is None and self.dhcp is None


class Piece(NamedTuple):
    """Where a tunnel fragment belongs; ``offset`` in bytes."""

    offset: int
    more: bool
    ident: int
    next_header: int


def joined(frames: list[Frame]) -> bytes:
    """The inner packet that tunnel fragments make, however they came; AssertionError if they do not fit."""
    packet = b""
    for frame in sorted(frames, key=lambda f: f.piece.offset):
        assert frame.piece.offset == len(packet), [f.piece for f in frames]
        packet += frame.body
    return packet


Condition = Callable[[Frame], object]


running: list[Capture] = []  # closed at the end of each test


class Capture(Reader):
    """The frames of a namespace from now on; a context manager."""

    def __init__(self, namespace: str, interface: str | None = None, outgoing: bool = False) -> None:
        """Take what enters ``interface`` (or any), and what leaves it too if ``outgoing``."""
        self._frames: list[Frame] = []
        self._changed = threading.Condition()
        self._outgoing = outgoing
        with inside(namespace):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ETH_P_ALL)
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if interface:
            made.bind((interface, 3))
        super().__init__(made)
        running.append(self)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        if self in running:
            running.remove(self)
            super().close()

    def _readable(self, one: socket.socket) -> None:
        with self._changed:
            if self._take(one):
                self._changed.notify_all()

    def _take(self, one: socket.socket) -> bool:
        """Take one frame from the kernel; return whether there was any."""
        try:
            data, control, _flags, place = one.recvmsg(65535, _CONTROL, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:  # the interface went down
            return one.fileno() >= 0
        interface, _protocol, kind, hardware, _mac = place
        if (kind == _OUTGOING) <= self._outgoing and interface != "br0":
            packet = data[14:] if hardware in _WITH_MAC else data
            self._frames.append(Frame(_arrival(control), interface, kind == _OUTGOING, packet))
        return True

    @property
    def frames(self) -> list[Frame]:
        """What came until now."""
        with self._changed:
            self._catch_up()
            return list(self._frames)

    def clear(self) -> None:
        """Forget what came until now."""
        with self._changed:
            self._catch_up()
            self._frames = []

    def _catch_up(self) -> None:
        """Take what the thread has not got round to: another capture may have been quicker."""
        while self._take(*self._sockets):
            pass

    def find(self, condition: Condition) -> list[Frame]:
        """Those of the ``frames`` for which ``condition`` is true."""
        return [frame for frame in self.frames if _holds(condition, frame)]

    def wait_for(self, condition: Condition, seconds: float = 5.0) -> Frame:
        """The first frame since the start (or the last ``clear``) for which ``condition`` is true."""
        return self.wait_for_all(condition, 1, seconds)[0]

    def wait_for_all(self, condition: Condition, count: int, seconds: float = 5.0) -> list[Frame]:
        """The first ``count`` such frames."""
        end = time.monotonic() + seconds * PATIENCE
        at, found = 0, []
        with self._changed:
            while True:
                fresh, at = self._frames[at:], len(self._frames)
                found += [frame for frame in fresh if _holds(condition, frame)]
                if len(found) >= count:
                    return found[:count]
                left = end - time.monotonic()
                if left <= 0:
                    seen = "\n".join(repr(frame) for frame in self._frames[-200:] if frame.protocol in (1, 4, 17, 41, 44))
                    raise AssertionError(f"{len(found)} of {count} such frames in {seconds * PATIENCE} s; the last ones:\n{seen}")
                self._changed.wait(left)

    def never(self, condition: Condition, seconds: float = 2.0) -> None:
        """Nothing of the kind has come, nor comes in the next ``seconds``."""
        time.sleep(seconds)
        found = self.find(condition)
        assert not found, f"unexpected: {found[:5]}"


def _arrival(control: list[tuple[int, int, bytes]]) -> float:
    """When the kernel took a frame, by the monotonic clock: on a busy machine this thread is later."""
    stamp = next(data for level, kind, data in control if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS))
    seconds, nanoseconds = struct.unpack("@ll", stamp)
    return time.monotonic() - (time.time() - seconds - nanoseconds / 1e9)


def _holds(condition: Condition, frame: Frame) -> bool:
    """A condition about what a frame does not have is not met; a mistake in it is told."""
    try:
        return bool(condition(frame))
    except AttributeError as error:
        if error.obj is not None:
            raise
        return False
    except TypeError as error:
        if "NoneType" not in str(error):
            raise
        return False
    except (AssertionError, IndexError, struct.error):
        return False
