# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 messages signed by pre-shared keys (O-26), made and read by hand."""

from __future__ import annotations

import hmac
import struct
import time
from dataclasses import replace

from tests.conformance import packets as p
from tests.conformance.bench import Bench

# ID and secret; masters of the Servers.
Key = tuple[int, bytes]
OLD: Key = (7, bytes(range(32)))
NEW: Key = (8, bytes(range(32, 64)))

_HEAD = struct.Struct("!BBBQI")
_MAC = 32


def client_key(duid: bytes, master: Key = OLD) -> Key:
    return master[0], hmac.digest(master[1], b"aero-client-key-1" + duid, "sha256")


def ntp(seconds_off: float = 0.0) -> int:
    """Now, or so many seconds later, as 64 bits since 1900."""
    return int((time.time() + seconds_off + 2208988800) * 2**32)


def signed(message: p.Dhcp, server: str, key: Key | None = None, replay: int | None = None) -> p.Dhcp:
    """The message with AUTH at its end, by default with the key that its Client has, and made now."""
    number, secret = key or client_key(message.get(p.CLIENT_ID))
    head = _HEAD.pack(254, 1, 0, ntp() if replay is None else replay, number)
    blank = replace(message, options=[*message.options, (p.AUTH, head + bytes(_MAC))])
    mac = hmac.digest(secret, b"aero-psk-1" + p.mapped(server) + blank.pack(), "sha256")
    return replace(message, options=[*message.options, (p.AUTH, head + mac)])


def replay_of(message: p.Dhcp) -> int:
    """The replay detection field of AUTH."""
    return _HEAD.unpack(message.get(p.AUTH)[: _HEAD.size])[3]


def is_signed(message: p.Dhcp, server: str, key: Key) -> bool:
    """Whether AUTH is the last option, of our kind, and right."""
    bare = replace(message, options=message.options[:-1])
    return message.options[-1][0] == p.AUTH and signed(bare, server, key, replay_of(message)) == message


def write_keys(bench: Bench, node: str, *keys: Key) -> None:
    lines = [f"{number} {secret.hex()}\n" for number, secret in keys]
    (bench.directory / node / "dhcp_keys").write_text("".join(lines))


def use_keys(bench: Bench, node: str, *keys: Key) -> None:
    """Have a node authenticate with these keys, newest first; before it is started."""
    write_keys(bench, node, *keys)
    path = str(bench.directory / node / "dhcp_keys")
    bench.configure(node, dhcp_authentication={"mode": "psk", "keys": path})
