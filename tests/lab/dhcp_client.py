# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a Server as a Client with any DUID would: ``python -m tests.lab.dhcp_client OWN_ADDRESS SERVER_ADDRESS REQUEST``.

REQUEST is a JSON object: "type" (a message type in lower case, or "listen"), "duid" in hex, and, as the type needs
it, "ias" ({IAID: prefix to be named, "" for none}), "rapid_commit", "server_id" in hex; "secret", a file with the master
secret by whose key 1 the message is signed, or "key", its own key in hex, by which it is signed as key 1; without
either it is not.  Prints one JSON object: the
"type" of the answer, its "server_id", its own "status", and for each IAID its "status" (null without one) and the
"prefixes" with a lifetime.  "listen" prints the ICMPv6 types of what comes within "seconds", one a line.
Exit 3 when no answer comes within five seconds.
"""

import json
import socket
import sys
import time
from pathlib import Path

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, Prefix, parse_address
from aerod.wire import dhcpv6, ip, udp
from aerod.wire import dhcpv6_authentication as authentication
from aerod.wire.dhcpv6_options import (
    IAPD,
    ClientId,
    ElapsedTime,
    IAPrefix,
    RapidCommit,
    ServerId,
    StatusCode,
)

PORT = 8060
PATIENCE = 5


def message(request: dict, server: str) -> bytes:
    """The packet that asks this Server."""
    options = [ClientId(bytes.fromhex(request["duid"])), ElapsedTime(0)]
    if request.get("rapid_commit"):
        options.append(RapidCommit())
    if "server_id" in request:
        options.append(ServerId(bytes.fromhex(request["server_id"])))
    for iaid, named in request.get("ias", {"1": ""}).items():
        options.append(IAPD(int(iaid), 0, 0, (named_prefix(named),) if named else ()))
    kind = getattr(dhcpv6, request["type"].upper())
    asked = dhcpv6.Message(kind, 0xAE50, tuple(options))
    payload = signed(asked, request, server) if {"secret", "key"} & request.keys() else dhcpv6.pack(asked)
    segment = udp.build_udp(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, dhcpv6.CLIENT_PORT, dhcpv6.SERVER_PORT, payload)
    return ip.build_ipv6(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, ip.UDP, segment)


def signed(asked: dhcpv6.Message, request: dict, server: str) -> bytes:
    """The message with the proof that its Client has the key (O-26)."""
    if "key" in request:
        secret = bytes.fromhex(request["key"])
    else:
        master = bytes.fromhex(Path(request["secret"]).read_text())
        secret = authentication.client_key(master, bytes.fromhex(request["duid"]))
    key = authentication.Key(1, secret)
    replay = int((time.time() + authentication.NTP_EPOCH) * authentication.NTP_FRACTION)
    return authentication.signed(asked, key, parse_address(server), replay)


def named_prefix(text: str) -> IAPrefix:
    """A prefix, or a hint at a length: "/124"."""
    if text.startswith("/"):
        return IAPrefix(0, 0, int(text[1:]), bytes(16))
    prefix = Prefix.parse(text)
    return IAPrefix(0, 0, prefix.length, prefix.packed)


def answer(packet: bytes) -> dict | None:
    """What a DHCPv6 message in ``packet`` says; None for anything else."""
    header = ip.parse_ip(packet)
    if header.protocol != ip.UDP:
        return None
    said = dhcpv6.unpack(udp.parse_udp(header.source, header.destination, packet[header.payload_offset :]).payload)
    names = {dhcpv6.ADVERTISE: "advertise", dhcpv6.REPLY: "reply"}
    return {
        "type": names[said.type],
        "server_id": said.find(ServerId).value.hex(),
        "status": status(said),
        "ias": {
            str(ia.iaid): {
                "status": status(ia),
                "prefixes": [str(prefix.acp) for prefix in ia.find_all(IAPrefix) if prefix.valid],
            }
            for ia in said.find_all(IAPD)
        },
    }


def status(options: object) -> int | None:
    """The status code among the options of a message or an IA_PD."""
    code = options.find(StatusCode)
    return code.status if code else None


def listen(underlay: socket.socket, seconds: float) -> None:
    """Print the ICMPv6 types that arrive."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        underlay.settimeout(left)
        try:
            packet = underlay.recv(65535)
        except TimeoutError:
            break
        if packet[0] >> 4 == 6 and packet[6] == 58:
            print(packet[40], flush=True)


def main() -> None:
    own, server, request = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as underlay:
        underlay.bind((own, PORT))
        if request["type"] == "listen":
            listen(underlay, request["seconds"])
            return
        underlay.sendto(message(request, server), (server, PORT))
        underlay.settimeout(PATIENCE)
        try:
            while (found := answer(underlay.recv(65535))) is None:
                pass
        except TimeoutError:
            sys.exit(3)
        print(json.dumps(found))


main()
