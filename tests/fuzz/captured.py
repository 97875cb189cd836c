# SPDX-License-Identifier: GPL-3.0-or-later
"""A link in memory that has done everything once, and the datagrams it did it with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aerod.config_encapsulation import EncapsulationConfig
from aerod.interface import Datagram
from aerod.wire.carriage import make_carriage
from aerod.wire.dhcpv6_authentication import Key
from aerod.wire.ip import UDP
from tests.unit.aerod.engines.test_anycast import wrapped
from tests.unit.aerod.harness import H1, H1_V4, H2, H2_V4, Link, echo, ip4, ip6, underlay
from tests.unit.aerod.host import Host

MASTER = Key(1, bytes(range(32)))
# The ways that packets travel, each by what the link is told.
FORMATS: dict[str, dict[str, Any]] = {
    "plain": {"optimise": True},
    "gue": {"optimise": True, "how": EncapsulationConfig("gue")},
    "raw": {"optimise": True, "how": EncapsulationConfig("raw")},
    "signed": {"require_signature": True},
    "authenticated": {"optimise": True, "masters": (MASTER,)},
}


class Seen(NamedTuple):
    """What follows the UDP or IP header; ``inner`` is where an inner packet starts, None for later fragments."""

    payload: bytes
    protocol: int = UDP
    inner: int | None = 0


@dataclass(slots=True)
class Living:
    """A link at work, what was seen on it, and what its DHCPv6 servers said to their nodes, each once."""

    link: Link
    seen: list[Seen] = field(default_factory=list)
    from_kernel: list[bytes] = field(default_factory=list)


def living_link(seed: int, how: str = "plain") -> Living:
    """Return a link of a format that has found its short ways, moved and rested."""
    link = Link(seed, **FORMATS[how])
    living = Living(link)
    for server in (link.s1, link.s2):
        _listen(server, living.from_kernel)
    link.settled()
    for _round in range(5):
        link.c1.send(ip6(H1, H2))
        link.c2.send(ip6(H2, H1, size=1500))
        link.c1.send(ip4(H1_V4, H2_V4, size=1400))
        link.c1.send(ip6(H1, "2001:db9::1"))
        link.c1.send(echo(H1, H2))
        link.r1.send(wrapped(ip6(H2, H1)))
        link.run(5.0)
    link.c2.set_underlays(underlay("203.0.113.103"))
    link.run(30.0)
    for server in (link.s1, link.s2):
        del server.kea.answer
    living.seen = list(dict.fromkeys(_seen(link, datagram) for _sender, datagram in link.log))
    link.log.clear()
    return living


def _listen(server: Host, heard: list[bytes]) -> None:
    unheard = server.kea.answer

    def answer(*arguments):
        answers = unheard(*arguments)
        heard.extend(answers)
        return answers

    server.kea.answer = answer


def _seen(link: Link, datagram: Datagram) -> Seen:
    decode = make_carriage(link.how.encapsulation).decode
    payload, protocol = datagram.payload, datagram.protocol
    carried = decode(payload, datagram.local, datagram.remote, protocol)
    if carried.fragment is not None and carried.fragment.offset:
        return Seen(payload, protocol, None)
    return Seen(payload, protocol, len(payload) - len(carried.body))
