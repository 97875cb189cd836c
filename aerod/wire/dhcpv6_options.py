# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 options (RFC 8415 section 21, RFC 6422, RFC 7083): bytes to dataclasses and back.

Options this module has no name for are kept as :class:`UnknownOption`, and every value keeps
all bits it was made from, so that whatever was unpacked packs to the same bytes.  Which options
are looked into depends on where they stand; nesting is bounded by that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from aerod.address import Prefix
from aerod.wire.errors import MalformedPacket
from aerod.wire.options import HasOptions

STATUS_SUCCESS = 0
STATUS_UNSPEC_FAIL = 1
STATUS_NO_ADDRS_AVAIL = 2
STATUS_NO_BINDING = 3
STATUS_NOT_ON_LINK = 4
STATUS_USE_MULTICAST = 5
STATUS_NO_PREFIX_AVAIL = 6

_HEADER = struct.Struct("!HH")
_IA_PD = struct.Struct("!III")
_IA_PREFIX = struct.Struct("!IIB16s")
_AUTHENTICATION = struct.Struct("!BBBQ")


@dataclass(frozen=True, slots=True)
class UnknownOption:
    """An option that is passed on and not looked into."""

    code: int
    data: bytes

    def pack_data(self) -> bytes:
        return self.data


@dataclass(frozen=True, slots=True)
class _Bytes:
    """An option whose data is one opaque value."""

    value: bytes

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        return cls(data)

    def pack_data(self) -> bytes:
        return self.value


@dataclass(frozen=True, slots=True)
class _Empty:
    """An option that says everything by being there."""

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(not data, cls, "has data")
        return cls()

    def pack_data(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class _Number:
    """An option whose data is one unsigned integer of ``SIZE`` bytes."""

    SIZE: ClassVar[int]
    value: int

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) == cls.SIZE, cls, f"is not {cls.SIZE} bytes")
        return cls(int.from_bytes(data, "big"))

    def pack_data(self) -> bytes:
        return self.value.to_bytes(self.SIZE, "big")


class ClientId(_Bytes):
    """The DUID of a Client (1)."""

    __slots__ = ()
    code = 1


class ServerId(_Bytes):
    """The DUID of a Server (2)."""

    __slots__ = ()
    code = 2


class RelayedMessage(_Bytes):
    """The message inside a Relay-forward or Relay-reply (9)."""

    __slots__ = ()
    code = 9


class InterfaceId(_Bytes):
    """The relay agent's own note about where a message came from (18)."""

    __slots__ = ()
    code = 18


class RapidCommit(_Empty):
    """Asks for, or marks, the two-message exchange (14)."""

    __slots__ = ()
    code = 14


class ReconfigureAccept(_Empty):
    """The Client is willing to take Reconfigure messages (20)."""

    __slots__ = ()
    code = 20


class ElapsedTime(_Number):
    """Time since the Client began the exchange, in 1/100 s, 65535 for longer (8)."""

    __slots__ = ()
    code = 8
    SIZE = 2


class ReconfigureMessage(_Number):
    """The message type a Reconfigure asks for (19)."""

    __slots__ = ()
    code = 19
    SIZE = 1


class SolMaxRT(_Number):
    """The SOL_MAX_RT a Client should use, in seconds (82)."""

    __slots__ = ()
    code = 82
    SIZE = 4


@dataclass(frozen=True, slots=True)
class OptionRequest:
    """The option codes a Client wants to hear about (6)."""

    code: ClassVar[int] = 6
    codes: tuple[int, ...]

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) % 2 == 0, cls, "has an odd length")
        return cls(struct.unpack(f"!{len(data) // 2}H", data))

    def pack_data(self) -> bytes:
        return struct.pack(f"!{len(self.codes)}H", *self.codes)


@dataclass(frozen=True, slots=True)
class Authentication:
    """The authentication option (11); ``replay`` is the 64-bit replay detection field."""

    code: ClassVar[int] = 11
    protocol: int
    algorithm: int
    rdm: int
    replay: int
    information: bytes

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) >= _AUTHENTICATION.size, cls, "is cut short")
        return cls(*_AUTHENTICATION.unpack_from(data), data[_AUTHENTICATION.size :])

    def pack_data(self) -> bytes:
        fixed = _AUTHENTICATION.pack(self.protocol, self.algorithm, self.rdm, self.replay)
        return fixed + self.information


@dataclass(frozen=True, slots=True)
class StatusCode:
    """The outcome of a message or of the option it stands in (13); one of ``STATUS_*``."""

    code: ClassVar[int] = 13
    status: int
    text: str = ""

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) >= 2, cls, "is cut short")
        return cls(int.from_bytes(data[:2], "big"), data[2:].decode("utf-8", "surrogateescape"))

    def pack_data(self) -> bytes:
        return self.status.to_bytes(2, "big") + self.text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class VendorOptions:
    """Vendor data (17); AERO's own are read by :mod:`aerod.wire.vendor_options`."""

    code: ClassVar[int] = 17
    enterprise: int
    data: bytes

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) >= 4, cls, "is cut short")
        return cls(int.from_bytes(data[:4], "big"), data[4:])

    def pack_data(self) -> bytes:
        return self.enterprise.to_bytes(4, "big") + self.data


@dataclass(frozen=True, slots=True)
class IAPrefix(HasOptions):
    """A prefix of an IA_PD (26); lifetimes in seconds, ``length`` in bits of the 16-byte ``prefix``."""

    code: ClassVar[int] = 26
    preferred: int
    valid: int
    length: int
    prefix: bytes
    options: tuple[Option, ...] = ()

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) >= _IA_PREFIX.size, cls, "is cut short")
        preferred, valid, length, prefix = _IA_PREFIX.unpack_from(data)
        _require(length <= 128, cls, f"has prefix length {length}")
        return cls(preferred, valid, length, prefix, unpack_options(data[_IA_PREFIX.size :], IN_IA_PREFIX))

    def pack_data(self) -> bytes:
        fixed = _IA_PREFIX.pack(self.preferred, self.valid, self.length, self.prefix)
        return fixed + pack_options(self.options)

    @property
    def has_valid_lifetimes(self) -> bool:
        """False if the receiver must ignore this option (RFC 8415 section 21.22)."""
        return self.preferred <= self.valid

    @property
    def acp(self) -> Prefix | None:
        """The ACP delegated here, None if the prefix cannot be one (IPv6 longer than /64)."""
        prefix = Prefix.masked(self.prefix, self.length)
        return prefix if prefix.can_be_acp else None


@dataclass(frozen=True, slots=True)
class IAPD(HasOptions):
    """An identity association for prefix delegation (25); ``t1`` and ``t2`` in seconds."""

    code: ClassVar[int] = 25
    iaid: int
    t1: int = 0
    t2: int = 0
    options: tuple[Option, ...] = ()

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        _require(len(data) >= _IA_PD.size, cls, "is cut short")
        return cls(*_IA_PD.unpack_from(data), unpack_options(data[_IA_PD.size :], IN_IA_PD))

    def pack_data(self) -> bytes:
        return _IA_PD.pack(self.iaid, self.t1, self.t2) + pack_options(self.options)

    @property
    def has_valid_times(self) -> bool:
        """False if the receiver must ignore this option (RFC 8415 section 21.21)."""
        return self.t2 == 0 or self.t1 <= self.t2


@dataclass(frozen=True, slots=True)
class SuppliedOptions(HasOptions):
    """Options a relay agent hands to the server for the Client (RSOO, 66; RFC 6422)."""

    code: ClassVar[int] = 66
    options: tuple[Option, ...] = ()

    @classmethod
    def unpack_data(cls, data: bytes) -> Self:
        return cls(unpack_options(data, IN_SUPPLIED_OPTIONS))

    def pack_data(self) -> bytes:
        return pack_options(self.options)


Option = (
    ClientId | ServerId | OptionRequest | ElapsedTime | RelayedMessage | Authentication | StatusCode
    | RapidCommit | VendorOptions | InterfaceId | ReconfigureMessage | ReconfigureAccept | IAPD | IAPrefix
    | SuppliedOptions | SolMaxRT | UnknownOption
)  # fmt: skip


def _table(*kinds: type) -> dict[int, type]:
    return {kind.code: kind for kind in kinds}


# What is looked into, by the place an option stands in.
IN_MESSAGE = _table(
    ClientId, ServerId, OptionRequest, ElapsedTime, Authentication, StatusCode, RapidCommit, VendorOptions,
    ReconfigureMessage, ReconfigureAccept, IAPD, SolMaxRT,
)  # fmt: skip
IN_RELAY_MESSAGE = _table(RelayedMessage, InterfaceId, SuppliedOptions, VendorOptions)
IN_IA_PD = _table(IAPrefix, StatusCode)
IN_IA_PREFIX = _table(StatusCode)
IN_SUPPLIED_OPTIONS = _table(VendorOptions)


def unpack_options(data: bytes, table: dict[int, type]) -> tuple[Option, ...]:
    """Return the options in ``data``, those of ``table`` in their own class; MalformedPacket otherwise."""
    options: list[Option] = []
    offset, end = 0, len(data)
    while offset < end:
        start = offset + _HEADER.size
        if start > end:
            raise MalformedPacket("DHCPv6 option header is cut short", offset)
        code, length = _HEADER.unpack_from(data, offset)
        if start + length > end:
            raise MalformedPacket(f"DHCPv6 option {code} is longer than its container", offset)
        offset = start + length
        body = data[start:offset]
        kind = table.get(code)
        options.append(kind.unpack_data(body) if kind else UnknownOption(code, body))
    return tuple(options)


def pack_options(options: Iterable[Option]) -> bytes:
    """Return the options one after the other."""
    return b"".join([_pack_option(option) for option in options])


def _pack_option(option: Option) -> bytes:
    data = option.pack_data()
    return _HEADER.pack(option.code, len(data)) + data


def _require(condition: bool, kind: type, what: str) -> None:
    if not condition:
        raise MalformedPacket(f"DHCPv6 option {kind.code} ({kind.__name__}) {what}")
