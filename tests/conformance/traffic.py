# SPDX-License-Identifier: GPL-3.0-or-later
"""Echoes by which tests tell what passed: each has an identifier of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6EchoReply

from tests.conformance import packets as p
from tests.conformance.bench import H1, H1_V4, NATIVE4, NATIVE6, Bench
from tests.conformance.capture import Capture, Frame

_idents = itertools.count(0x1000)


def ident() -> int:
    """An echo identifier nobody had."""
    return next(_idents)


def echo_to_h1(number: int, size: int = 64, version: int = 6, **header) -> bytes:
    """An echo request from the native network to h1, as c1 gets it from its Server."""
    source, destination = (NATIVE6, H1) if version == 6 else (NATIVE4, H1_V4)
    return p.echo(source, destination, size, ident=number, **header)


def is_reply(number: int, node: str = "c1") -> Callable[[Frame], bool]:
    """Whether a frame that ``node`` sent carries the (first fragment of the) answer to echo ``number``."""

    def condition(frame: Frame) -> bool:
        if frame.node != node or frame.inner is None:
            return False
        if ICMPv6EchoReply in frame.inner:
            return frame.inner[ICMPv6EchoReply].id == number
        return ICMP in frame.inner and (frame.inner[ICMP].type, frame.inner[ICMP].id) == (0, number)

    return condition


def has_echo(number: int) -> Callable[[Frame], bool]:
    """Whether a frame, tunnelled or not, is or carries an echo with the identifier."""

    def condition(frame: Frame) -> bool:
        packet = frame.inner if frame.is_tunnel else frame.ip
        for layer in packet.layers():
            if getattr(packet[layer], "id", None) == number and layer.__name__ in ("ICMP", "ICMPv6EchoRequest", "ICMPv6EchoReply"):
                return True
        return False

    return condition


def sends(bench: Bench, u: Capture, source: str, target: str, payloads: Callable[[int], list[bytes]], **how) -> bool:
    """Whether an echo to h1 that is sent to c1 (or whatever ``target`` leads to) in ``payloads(number)`` is answered.

    A plain one follows, whose answer tells that the first has been dealt with.
    """
    tried, known = ident(), ident()
    for payload in payloads(tried):
        bench.inject(payload, source, target, **how)
    plain = {key: value for key, value in how.items() if key in ("sport", "dport", "family")}
    bench.inject(echo_to_h1(known), source, target, **plain)
    u.wait_for(is_reply(known))
    return bool(u.find(is_reply(tried)))
