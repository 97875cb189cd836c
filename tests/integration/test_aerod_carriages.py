# SPDX-License-Identifier: GPL-3.0-or-later
"""Real aerods over each encapsulation, signed or not, and both families of underlay; root only."""

from __future__ import annotations

import hashlib
import socket
import time
from functools import partial

import pytest

from aerod.wire.signature import derived_key
from tests.integration.aerod_link import DUID, OUTSIDE4, OUTSIDE6, OWN4, OWN6, Link, missing, wait_for
from tests.namespaces import inside

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

SERVERS = {"ipv4": "203.0.113.11", "ipv6": "fd00:ae::b"}
GUE, RAW = 'encapsulation = "gue"\n', 'encapsulation = "raw"\n'


# One secret; a Client has the key derived from it.
SECRET = hashlib.sha256(b"the link").digest()
_SECRET_TABLE = f'[[signature_secret]]\nid = 11\nsecret = "{SECRET.hex()}"\n'
_OWN = derived_key(SECRET, bytes.fromhex(DUID)).hex()
KEYS = {"r": _SECRET_TABLE, "s": _SECRET_TABLE, "c": f'[[signature_key]]\nid = 11\nsecret = "{_OWN}"\n'}


def with_capabilities(command: list[str], *names: str) -> list[str]:
    """``command`` with these capabilities and no others, in Kea's group, as its unit has it run."""
    bounds = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", "--groups", "_kea", "--bounding-set", bounds, *command]


def built(
    made: Link, over: str, of_link: str = "", keys: bool = False, capabilities: tuple[str, ...] = ()
) -> Link:
    """A link whose Client is bound."""
    made.build()
    if capabilities:
        made.command = with_capabilities(made.command, *capabilities)
    server = f'server_addresses = ["{SERVERS[over]}"]\n'
    for node in ("r", "s", "c"):
        made.write_config(node, KEYS[node] if keys else "", server, of_link)
        made.start(node)
    made.start_kea()
    wait_for(made.has_lease)
    return made


@pytest.fixture
def link():
    made = Link()
    yield made
    made.destroy()


class Capture:
    """The packets on the Client's underlay, from the IP header on."""

    def __init__(self, link: Link) -> None:
        with inside(f"{link.prefix}c"):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind(("eth0", 0))
        self._socket.settimeout(0.3)

    def packets(self) -> list[bytes]:
        found = []
        try:
            while True:
                found.append(self._socket.recv(65535)[14:])
        except TimeoutError:
            return found

    def close(self) -> None:
        self._socket.close()


def protocol(packet: bytes) -> int:
    return packet[9] if packet[0] >> 4 == 4 else packet[6]


def ports(packet: bytes) -> tuple[int, int]:
    start = 20 if packet[0] >> 4 == 4 else 40
    return int.from_bytes(packet[start : start + 2], "big"), int.from_bytes(packet[start + 2 : start + 4], "big")


@pytest.mark.parametrize("over", ["ipv4", "ipv6"])
@pytest.mark.parametrize(
    ("of_link", "keys", "seen"),
    [(GUE, False, {(17, 6080)}), (RAW, False, {(4, 0), (41, 0), (44, 0)}), ("require_signature = true\n", True, {(17, 8060)})],
    ids=["gue", "raw", "signed"],
)
def test_everything_crosses(link, over, of_link, keys, seen):
    """The lease comes, all sizes pass both ways, and the underlay sees nothing but this encapsulation."""
    built(link, over, of_link, keys)
    capture = Capture(link)
    for size in (64, 1280, 1400, 1500):
        for node, address in (("c", OUTSIDE4), ("c", OUTSIDE6), ("r", OWN4), ("r", OWN6)):
            assert wait_for(partial(link.pings, node, address, size), 5), (node, address, size)
    ours = [p for p in capture.packets() if p[0] >> 4 in (4, 6) and protocol(p) in (4, 17, 41, 44)]
    capture.close()
    assert {(protocol(p), ports(p)[1] if protocol(p) == 17 else 0) for p in ours} == seen
    for node in ("r", "s", "c"):
        counters = link.ask(node, "counters")
        assert not [name for name in counters if name.startswith(("drop_malformed", "drop_sig", "drop_unsig"))], counters
        assert not counters.keys() & {"internal_error", "kernel_refused"}


def test_unsigned_packets_are_refused(link):
    """A Client without keys gets nothing from a Server that requires them."""
    built(link, "ipv4", "require_signature = true\n", True)
    link.kill("c", 15)
    (link.directory / "c" / "state.json").unlink()
    link.write_config("c")
    link.start("c")
    wait_for(lambda: link.ask("s", "counters").get("drop_unsigned"))
    assert not link.has_lease()


def test_a_proven_path_carries_1500_bytes_whole(link):
    """Probes find out that the underlay takes more, and its shrinking brings the fragments back."""
    made = link
    made.build()
    made.write_config("s", of_link="probe = false\n")
    for node in ("r", "s", "c"):
        made.run(node, "ip", "link", "set", "eth0", "mtu", "1600")
        made.run("core", "ip", "link", "set", f"v{node}", "mtu", "1600")
        made.start(node)
    made.run("core", "ip", "link", "set", "br0", "mtu", "1600")
    made.start_kea()
    wait_for(made.has_lease)
    assert wait_for(lambda: made.pings("c", OUTSIDE6, 1500), 5)
    wait_for(lambda: made.ask("c", "counters").get("probes_answered"))
    capture = Capture(link)
    assert made.pings("c", OUTSIDE6, 1500)
    out = [p for p in capture.packets() if p[12:16] == bytes([203, 0, 113, 101]) and len(p) > 1000]
    assert [(len(p), p[6] & 0x40, p[26:28]) for p in out] == [(1528, 0x40, b"\0\0")]
    made.run("c", "ip", "link", "set", "eth0", "mtu", "1400")
    assert wait_for(lambda: made.pings("c", OUTSIDE6, 1500), 5)
    out = [p for p in capture.packets() if p[12:16] == bytes([203, 0, 113, 101]) and len(p) > 1000]
    capture.close()
    assert out and all(len(p) <= 1024 for p in out)


def icmp_error(kind: int, code: int, mtu: int, quoted: bytes) -> bytes:
    """An ICMPv4 message to the Client about a packet it sent."""
    message = bytes([kind, code, 0, 0, 0, 0]) + mtu.to_bytes(2, "big") + quoted
    total = sum(int.from_bytes(message[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(message), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + (~total & 0xFFFF).to_bytes(2, "big") + message[4:]


_SEND_ICMP = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
for text in sys.argv[1:]:
    out.sendto(bytes.fromhex(text), ("203.0.113.101", 0))
"""


def test_errors_of_the_underlay(link):
    """They reach the node with what they quote: sizes for the source, reassembly for the checksums."""
    built(link, "ipv4", 'udp_checksum = "never"\n', capabilities=("net_admin", "net_raw"))
    assert "checksums are needed" not in link.log("c")
    capture = Capture(link)
    assert wait_for(lambda: link.pings("c", OUTSIDE4, 600), 5)
    sent = [p for p in capture.packets() if p[12:20] == bytes([203, 0, 113, 101, 203, 0, 113, 11]) and len(p) > 600]
    assert sent and sent[0][26:28] == b"\0\0"
    errors = [icmp_error(3, 4, 1700, sent[0][:200]), icmp_error(3, 4, 1700, sent[0][:28])]
    errors += [icmp_error(11, 1, 0, sent[0][:100])] * 3
    link.run("r", "python3", "-c", _SEND_ICMP, *(error.hex() for error in errors))
    counters = wait_for(lambda: (c := link.ask("c", "counters")).get("underlay_not_reassembled") == 3 and c)
    assert (counters["underlay_too_big"], counters["drop_underlay_error_quote"]) == (1, 1)
    time.sleep(0.1)
    capture.packets()
    assert link.pings("c", OUTSIDE4, 600)
    sent = [p for p in capture.packets() if p[12:20] == bytes([203, 0, 113, 101, 203, 0, 113, 11]) and len(p) > 600]
    capture.close()
    assert sent and all(p[26:28] != b"\0\0" for p in sent)
