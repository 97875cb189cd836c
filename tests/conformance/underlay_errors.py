# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP errors of the underlay, from x as if it were a router there, and ICMP errors about inner packets."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6
from scapy.packet import Raw

from tests.conformance.bench import Bench
from tests.conformance.capture import Frame

NO_ROUTE, HOST, PORT = (0, 0), (1, 3), (3, 4)  # codes of Destination Unreachable for IPv4 and IPv6


def too_big(bench: Bench, target: str, mtu: int, quote: bytes) -> None:
    """Tell ``target`` that a packet of its was too big."""
    if bench.family == 4:
        error = IP(src=bench.address("x"), dst=bench.address(target)) / ICMP(type=3, code=4, nexthopmtu=mtu)
    else:
        error = IPv6(src=bench.address("x"), dst=bench.address(target)) / ICMPv6PacketTooBig(mtu=mtu)
    bench.send_frame("x", target, bytes(error / Raw(quote)))


def unreachable(bench: Bench, target: str, quote: bytes, code: tuple[int, int] = PORT, times: int = 1) -> None:
    """Tell ``target`` that a packet of its did not arrive."""
    if bench.family == 4:
        error = IP(src=bench.address("x"), dst=bench.address(target)) / ICMP(type=3, code=3 if code == PORT else code[0])
    else:
        error = IPv6(src=bench.address("x"), dst=bench.address(target)) / ICMPv6DestUnreach(code=code[1])
    for _time in range(times):
        bench.send_frame("x", target, bytes(error / Raw(quote)))


def told_mtu(frame: Frame) -> int | None:
    """The MTU in a Packet Too Big or Fragmentation Needed, None for any other packet; the inner one of a tunnel packet."""
    packet = frame.inner if frame.is_tunnel else frame.ip
    if packet is None:
        return None
    if ICMPv6PacketTooBig in packet:
        return packet[ICMPv6PacketTooBig].mtu
    if ICMP in packet and (packet[ICMP].type, packet[ICMP].code) == (3, 4):
        return packet[ICMP].nexthopmtu
    return None


def is_unreachable(frame: Frame) -> tuple[int, int] | None:
    """Type and code of an ICMP Destination Unreachable, or of the one in a tunnel packet; None for any other packet."""
    packet = frame.inner if frame.is_tunnel else frame.ip
    if packet is None:
        return None
    if ICMPv6DestUnreach in packet:
        return 1, packet[ICMPv6DestUnreach].code
    if ICMP in packet and packet[ICMP].type == 3 and packet[ICMP].code != 4:
        return 3, packet[ICMP].code
    return None
