# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of signatures by secrets of the link: who may sign what, and how keys come, change and go (O-4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerod.address import link_local, parse_address
from aerod.config_encapsulation import SignaturesConfig
from aerod.interface import KernelRoute
from aerod.state.forwarding import DEFAULT_ROUTES
from aerod.wire import signature
from aerod.wire.encapsulation import decode
from tests.unit.aerod.harness import C1, H1, H2, SECRETS, TABLE, Link, ip6, lla, signature_key
from tests.unit.aerod.nodes.test_configured_acps import ConfiguredLink

NEW, OLD = SECRETS
S1, S2 = "203.0.113.11", "203.0.113.12"


def rekey(link: Link, names: str, secrets: tuple, required: bool) -> None:
    """Restart hosts with other keys, none for a link without."""
    for host in (host for host in link.hosts if host.name in names.split()):
        duid = host.config.client.duid if host.config.client else None
        keys = secrets if duid is None else tuple(signature_key(duid, secret) for secret in secrets)
        saved = host.stop()
        host.config = replace(host.config, signatures=SignaturesConfig(keys, required) if secrets else None)
        host.start(saved)
        for prefix, via in kernel_routes(link, host):
            host.node.route_changed(KernelRoute(prefix, via), link.now)
    link.run(1)


def kernel_routes(link: Link, host) -> list:
    """What the routing daemon keeps in the kernel."""
    if host in (link.s1, link.s2):
        return [(prefix, link_local(1)) for prefix in DEFAULT_ROUTES]
    if host is not link.r1:
        return []
    return [(prefix, link_local(s.config.node.id)) for s in (link.s1, link.s2) for prefix in s.routes]


def assert_flows(link: Link) -> None:
    for sender, receiver, packet in ((link.c1, link.c2, ip6(H1, H2)), (link.c2, link.c1, ip6(H2, H1))):
        sender.send(packet)
        link.run(0.2)
        assert receiver.take_delivered() == [packet]


def assert_nothing_was_refused(link: Link) -> None:
    refused = {h.name: h.drops() for h in link.hosts if h.drops().keys() & {"drop_signature", "drop_unsigned"}}
    assert refused == {}


def key_ids(link: Link, since: int) -> dict[str, set]:
    """The Key IDs of what each node sent, None for unsigned packets."""
    found: dict[str, set] = {}
    for name, datagram in link.log[since:]:
        made = decode(datagram.payload, datagram.local, datagram.remote).signature
        found.setdefault(name, set()).add(made and signature.key_id(made))
    return found


def test_a_client_moves_to_another_server_that_passes_its_release_on():
    """Servers sign to each other, too, and what follows the Client is taken."""
    link = Link(c1_servers=(S1, S2), require_signature=True).settled()
    link.c1.node.move(link.now, parse_address(S2))
    link.settle(link.c1)
    link.run(1)
    assert [lease["server_address"] for lease in link.c1.node.leases(link.now)] == [S2]
    assert link.s2.node.counters()["releases_relayed"] == 1
    assert_flows(link)
    link.run(8)
    assert [lease["server_address"] for lease in link.c1.node.leases(link.now)] == [S2]
    assert_nothing_was_refused(link)


def test_traffic_that_follows_is_signed_between_the_servers():
    link = Link(c1_servers=(S1, S2), c2_servers=(S1,), require_signature=True).settled()
    link.c1.node.move(link.now, parse_address(S2))
    link.settle(link.c1)
    link.run(1)
    before = len(link.log)
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    assert [name for name, _unused in link.log[before:]] == ["c2", "s1", "s2"]
    assert link.c1.take_delivered() == [ip6(H2, H1)]
    assert_nothing_was_refused(link)


def test_a_client_cannot_sign_for_a_server():
    """Its keys are derived: they tell nothing of the secret, nor of anybody else's."""
    link = Link(require_signature=True).settled()
    packet = ip6(H1, H2)
    forged = signature.sign(NEW.id, signature.pair_key(signature_key(C1).secret, lla(S1).ip), packet)
    before = link.r1.drops().get("drop_signature", 0)
    link.r1.inject(bytes([0x09, 41]) + forged + packet, lla(S1))
    assert link.r1.drops()["drop_signature"] == before + 1


def test_configured_clients_have_the_key_of_their_address():
    link = ConfiguredLink(require_signature=True)
    address = link.s1.node.neighbors(link.now, "static")[0]["link_local"]
    key = signature_key(parse_address(address))
    link.c1.config = replace(link.c1.config, signatures=SignaturesConfig((key,)))
    link.c1.start(None)
    link.run(3)
    assert_flows(link)
    assert TABLE[C1] and link.s1.drops().keys() <= {"drop_signature"}


def test_keys_come_to_a_running_link_and_go():
    """First keys everywhere, then the demand; back in the reverse order. No packet is lost."""
    link = Link().settled()
    steps = [((NEW,), False), ((NEW,), True), ((NEW,), False), ((), False)]
    for secrets, required in steps:
        for names in ("r1", "s1 s2", "c1", "c2"):
            rekey(link, names, secrets, required)
            assert_flows(link)
    assert_nothing_was_refused(link)


def test_a_secret_is_replaced_in_three_steps():
    """Taken everywhere before anybody signs with it, then the old one goes; nothing is lost on the way."""
    link = Link(require_signature=True)
    rekey(link, "r1 s1 s2 c1 c2", (OLD,), True)
    link.settled()
    for secrets in ((OLD, NEW), (NEW, OLD), (NEW,)):
        for names in ("r1", "s1", "s2", "c1", "c2"):
            rekey(link, names, secrets, True)
            assert_flows(link)
        assert_nothing_was_refused(link)
        before = len(link.log)
        assert_flows(link)
        assert set().union(*key_ids(link, before).values()) == {secrets[0].id}


def test_a_client_that_missed_the_steps_still_gets_on():
    """One that was away has the old key alone; it is answered with that, others with the new one."""
    link = Link(require_signature=True)
    rekey(link, "r1 s1 s2 c1 c2", (OLD,), True)
    link.settled()
    rekey(link, "r1 s1 s2 c2", (NEW, OLD), True)
    link.run(30)
    assert_flows(link)
    before = len(link.log)
    link.c2.send(ip6(H2, H1))
    link.run(0.2)
    assert key_ids(link, before)["c2"] == {NEW.id}
    assert key_ids(link, before)["s1"] == {OLD.id}
    assert_nothing_was_refused(link)


def test_clients_that_talk_directly_share_no_key():
    """Where signatures are not required, what goes straight is not signed, and is taken."""
    link = Link(optimise=True, require_signature=False).settled()
    for _round in range(6):
        link.c1.send(ip6(H1, H2))
        link.c2.send(ip6(H2, H1))
        link.run(1)
    link.c1.take_delivered(), link.c2.take_delivered()
    before = len(link.log)
    assert_flows(link)
    assert {name: ids for name, ids in key_ids(link, before).items() if name in ("c1", "c2")} == {"c1": {None}, "c2": {None}}
    assert_nothing_was_refused(link)


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_remembered_of_signers_is_bounded(count, monkeypatch):
    monkeypatch.setattr("aerod.state.keyring._MOST", 4)
    link = Link(require_signature=True)
    link.secrets = SECRETS[:count]
    link = link.settled()
    solicit = next(d for name, d in link.log if name == "c1")
    for number in range(20):
        link.s1.inject(solicit.payload, lla(f"192.0.2.{number}"))
    heard = link.s1.node._transmitter._keys._heard
    assert 0 < len(heard) <= 4
