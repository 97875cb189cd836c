# SPDX-License-Identifier: GPL-3.0-or-later
"""I: the formats of Neighbor Discovery messages, and which of them are taken."""

from __future__ import annotations

import ipaddress
import time

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H2, Bench
from tests.conformance.conftest import start_link
from tests.conformance.fakes import FakeServer
from tests.conformance.peers import C1, Peer, code, links, nonce_of, seconds_of
from tests.conformance.plan import NODES

S1 = "fe80::b"
NO_CODE = 2
# Message and port: an answer to a solicitation has an empty option, an unsolicited NA that may come first has not.
TOLD = {(p.NS, 0), (p.NA, 0), (p.REDIRECT, 0), (p.REDIRECT, p.AERO_PORT)}


@pytest.fixture(scope="module")
def exchange():
    """All ND messages of a whole link with two Clients that have begun to talk directly."""
    bench = Bench(family=6)
    try:
        bench.build()
        bench.seen = bench.capture()
        start_link(bench)
        bench.wait_for(lambda: _direct_both_ways(bench), 15, "direct both ways")
        for told in TOLD:
            bench.seen.wait_for(lambda f, told=told: f.nd == told[0] and told in _told_in(f))
        bench.messages = bench.seen.find(lambda f: f.nd)
        yield bench
    finally:
        bench.destroy()


def _links_in(frame) -> list[p.LinkLayer]:
    return [p.LinkLayer.parse(data) for number, data in p.nd_options(frame.body) if number in (p.SLLAO, p.TLLAO)]


def _told_in(frame) -> list[tuple[int, int]]:
    return [(frame.nd, option.port) for option in _links_in(frame)]


def _direct_both_ways(bench) -> bool:
    assert bench.pings("h1", H2)
    entries = [row for client in ("c1", "c2") for row in bench.neighbors(client, "dynamic")]
    return sum(row["forward_in"] > 0 and row["accept_in"] > 0 for row in entries) >= 2


def test_aero_145_link_layer_options(exchange):
    """Type 1 or 2, 24 bytes; address and port are of a node, or nothing at all."""
    kinds = {p.RS: p.SLLAO, p.NS: p.SLLAO, p.NA: p.TLLAO, p.REDIRECT: p.TLLAO}
    addresses = {ipaddress.ip_address(exchange.address(node, family)) for node in ("c1", "c2") for family in (4, 6)}
    for frame in exchange.messages:
        for option in _links_in(frame):
            assert option.kind == kinds[frame.nd], frame
            address = ipaddress.ip_address(option.address)
            assert (option.port, int(address)) == (0, 0) or (option.port == p.AERO_PORT and address in addresses), frame
            assert option.link_id == 0
            assert option.preference > 0
    found = {told for frame in exchange.messages for told in _told_in(frame)}
    assert found >= TOLD


def test_aero_145_option_of_fixed_nodes(exchange):
    """A Server's answer to a Neighbor Solicitation has a target link-layer address option, of nothing, and no source one."""
    u = exchange.capture()
    exchange.inject(p.neighbor_solicitation("fe80::2001:db8:1000:2000", "fe80::b", p.nonce(b"145145")), "c1", "s1")
    answer = u.wait_for(lambda f: f.node == "s1" and f.nd == p.NA and p.nd_option(f.body, p.NONCE) == p.nonce(b"145145"))
    options = [data for number, data in p.nd_options(answer.body) if number in (p.SLLAO, p.TLLAO)]
    assert options == [p.tllao()]


def test_aero_145_bytes_of_a_tllao(peer):
    """02 03 0000, Link ID, Preference, then port and address in the form they are filled in."""
    option = p.nd_option(peer.predirect(), p.TLLAO)
    assert option == bytes.fromhex("02 03 0000 00 ff 0000") + bytes(16)


def test_aero_146_addresses_and_hop_limit(exchange):
    """Link-local unicast addresses and hop limit 255, however many nodes it passes."""
    assert {f.nd for f in exchange.messages} >= {p.NS, p.NA, p.REDIRECT}
    assert {f.node for f in exchange.messages if f.nd == p.REDIRECT} == {"c1", "s1", "r1", "s2", "c2"}
    for frame in exchange.messages:
        assert frame.inner.hlim == 255
        assert {frame.inner.src[:5], frame.inner.dst[:5]} == {"fe80:"}
        assert p.checksum_is_right(frame.body)


def solicitation(options: bytes = b"", **header) -> bytes:
    return p.neighbor_solicitation(S1, C1, options, **header)


def advertised(peer: Peer, nonce: bytes) -> bool:
    """Whether c1 answered with a Nonce."""
    return any(r.nd == p.NA and nonce_of(r.payload) == nonce for r in list(peer.server.received))


def wrong_checksum(packet: bytes) -> bytes:
    return packet[:42] + bytes([packet[42] ^ 0x55]) + packet[43:]


def rechecked(packet: bytes) -> bytes:
    """A packet after a change, with its length and checksum made right."""
    packet = packet[:4] + (len(packet) - 40).to_bytes(2, "big") + packet[6:42] + b"\0\0" + packet[44:]
    pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + b"\0\0\0\x3a"
    return packet[:42] + p.internet_checksum(pseudo + packet[40:]).to_bytes(2, "big") + packet[44:]


def bad_solicitations(nonce: bytes) -> list[bytes]:
    good = solicitation(nonce)
    return [
        solicitation(nonce, hlim=254),
        wrong_checksum(good),
        solicitation(nonce + b"\x63\0" + bytes(6)),  # an option of length 0
        solicitation(b"\x63\0" + bytes(6) + nonce),
        solicitation(nonce + b"\x63\x02" + bytes(6)),  # one that is longer than the message
        rechecked(good[:41] + b"\1" + good[42:]),  # code 1
        rechecked(good[:60]),  # shorter than 24 bytes
    ]


def test_aero_146_147_bad_solicitations_are_dropped(peer):
    """Neither is answered; a good one after them is."""
    bad, good = p.nonce(b"\x0b" * 6), p.nonce(peer.number.to_bytes(6, "big"))
    for packet in [*bad_solicitations(bad), solicitation(good)]:
        peer.send_by(peer.server, packet)
    peer.bench.wait_for(lambda: advertised(peer, good))
    assert not advertised(peer, bad)


@pytest.mark.parametrize("number", range(7))
def test_aero_147_bad_solicitations_one_by_one(peer, number):
    """Hop limit, checksum, options of length 0 or too long, code, length."""
    bad, good = p.nonce(bytes([number]) + b"\xbb" * 5), p.nonce(b"\x99" + peer.number.to_bytes(5, "big"))
    peer.send_by(peer.server, bad_solicitations(bad)[number])
    peer.send_by(peer.server, solicitation(good))
    peer.bench.wait_for(lambda: advertised(peer, good))
    assert not advertised(peer, bad)


def test_aero_147_unknown_options_are_ignored(peer):
    """An option of a type nobody knows changes nothing."""
    good = p.nonce(b"\x77" + peer.number.to_bytes(5, "big"))
    peer.send_by(peer.server, solicitation(b"\xc8\x02" + bytes(14) + good))
    peer.bench.wait_for(lambda: advertised(peer, good))


def bad_predirects(peer: Peer) -> list[bytes]:
    """Predirects that RFC 4861 section 8.1 says to drop."""

    def made(options: bytes = peer.options(), **how) -> bytes:
        given = {"source": peer.aero, "destination": C1, "target": peer.aero, "about": peer.host, "prefix_length": 48, "code": 1, **how}
        return p.redirect(**given, options=options)

    good = made()
    return [
        made(hlim=254),
        wrong_checksum(good),
        made(peer.options() + b"\x63\0" + bytes(6)),
        rechecked(good[:72]),
        made(about="ff02::1"),
        made(target="2001:db8::1"),
        made(code=NO_CODE),
        made(source=peer.host, target=peer.host),
    ]


def test_aero_146_147_bad_predirects_are_dropped(peer):
    """No answer, no neighbor entry; a good one after them gets both."""
    for packet in bad_predirects(peer):
        peer.send_by(peer.server, packet)
    time.sleep(0.3)
    assert peer.entry() is None
    assert not peer.redirects_at(peer.server, 0)
    assert peer.asked()
    assert peer.entry()


def test_aero_148_a_single_tllao_with_a_constant_link_id(client_link):
    """Whatever the destination."""
    told = [links(Peer(client_link).predirect()) for _again in range(3)]
    told.append(links(Peer(client_link).asked()))
    assert {(len(options), options[0].link_id, options[0].preference) for options in told} == {(1, 0, 255)}


def test_aero_149_several_links_in_several_tllaos(make_bench):
    """Each with its own Link ID and Preference."""
    bench = make_bench(nodes=("s1", "c1", "c2", "x", "h1"))
    bench.attach("c1", "eth1", "198.51.100.131", "fd00:a::83")
    bench.configure("c1", underlay=[
        {"interface": "eth0", "link_id": 3, "preference": 200, "addresses": [NODES["c1"].v4]},
        {"interface": "eth1", "link_id": 7, "preference": 100, "addresses": ["198.51.100.131"]},
    ])  # fmt: skip
    bench.server = FakeServer(bench)
    bench.start("c1")
    bench.server.wait_for(lambda r: r.dhcp and r.dhcp.aero().get(p.ALLAREQ) == p.allareq(7, 100), 10)
    time.sleep(0.3)
    told = links(Peer(bench).predirect())
    assert sorted((option.link_id, option.preference) for option in told) == [(3, 200), (7, 100)]


def test_aero_150_timestamps(exchange, peer):
    """Predirects and Redirects carry one of now, 16 bytes long."""
    redirects = [f.body for f in exchange.messages if f.nd == p.REDIRECT]
    assert {code(packet) for packet in redirects} == {0, 1}
    fresh = [peer.predirect(), Peer(peer.bench).asked()]
    for packet in [*redirects, *fresh]:
        option = p.nd_option(packet, p.TIMESTAMP)
        assert (len(option), option[1], option[2:8]) == (16, 2, bytes(6))
        assert abs(time.time() - seconds_of(packet)) < 60
    assert abs(time.time() - seconds_of(fresh[1])) < 10


def test_aero_151_nonces(exchange):
    """Predirect, NS and RS carry one of 6 bytes or more, new each time they are made."""
    own = [f.body for f in exchange.messages if f.node in ("c1", "c2")]
    asking = [b for b in own if b[40] in (p.NS, p.RS) or (b[40], code(b)) == (p.REDIRECT, 1)]
    assert {b[40] for b in asking} >= {p.NS, p.REDIRECT}
    for packet in asking:
        option = p.nd_option(packet, p.NONCE)
        assert len(option) == option[1] * 8 >= 8
    solicitations = [packet for packet in asking if packet[40] == p.NS]
    assert len({nonce_of(packet) for packet in solicitations}) == len(solicitations)


@pytest.mark.parametrize("size", [6, 14, 30])
def test_aero_152_nonce_is_echoed(peer, size):
    """In an NA and in a Redirect, however long it is."""
    value = p.nonce((peer.number.to_bytes(2, "big") + b"\x5a" * size)[:size])
    peer.send_by(peer.server, solicitation(value))
    peer.bench.wait_for(lambda: advertised(peer, value))
    assert nonce_of(peer.asked(options=peer.options(value))) == value


@pytest.mark.parametrize("nonce", [b"", p.nonce(b"wrong!")], ids=["none", "wrong"])
def test_aero_152_redirect_with_a_wrong_nonce(peer, nonce):
    """It changes nothing; the right one does."""
    predirect = peer.predirect()
    peer.send_by(peer.server, peer.redirect(predirect, peer.options(nonce)))
    time.sleep(0.4)
    assert (peer.entry(), peer.solicitations()) == (None, [])
    peer.send_by(peer.server, peer.redirect(predirect))
    peer.wait_for(lambda r: r.nd == p.NS)


@pytest.mark.parametrize("nonce", [b"", p.nonce(b"wrong!")], ids=["none", "wrong"])
def test_aero_152_advertisement_with_a_wrong_nonce(peer, nonce):
    """It does not make the path a proven one."""
    peer.alive = False
    peer.send_by(peer.server, peer.redirect(peer.predirect()))
    asked = peer.wait_for(lambda r: r.nd == p.NS)
    peer.send_by(peer.server, p.neighbor_advertisement(peer.aero, C1, nonce))
    time.sleep(0.2)
    assert not peer.is_direct()
    peer.send_by(peer.server, p.neighbor_advertisement(peer.aero, C1, nonce_of(asked.payload)))
    peer.bench.wait_for(peer.is_direct, 2)


@pytest.mark.parametrize("late", [-400, 400])
def test_aero_153_stale_timestamp_on_first_contact(peer, late):
    """More than 300 s beside our clock: no answer, no entry. Less is fine."""
    peer.ask(options=peer.options(p.nonce(), time.time() + late))
    time.sleep(0.4)
    assert (peer.entry(), peer.redirects_at(peer.server, 0)) == (None, [])
    assert peer.asked(options=peer.options(p.nonce(), time.time() + late / 2))
    assert peer.entry()


def test_aero_153_stale_solicitation_is_answered(peer):
    """It is answered, and makes and extends nothing."""
    peer.asked()
    time.sleep(1)
    before = peer.entry()["accept_in"]
    value = p.nonce(b"\x35" + peer.number.to_bytes(5, "big"))
    peer.send(p.neighbor_solicitation(peer.aero, C1, p.timestamp(time.time() - 400) + value), "c1")
    peer.bench.wait_for(lambda: advertised(peer, value))
    assert peer.entry()["accept_in"] <= before


@pytest.mark.parametrize("version,length", [(6, 56), (4, 28)])
def test_aero_154_prefix_length_in_byte_7(client_link, version, length):
    """The length of the own prefix, as its family counts."""
    for packet in (Peer(client_link, version).predirect(), Peer(client_link, version).asked()):
        assert packet[44:48] == bytes([0, 0, 0, length])


@pytest.mark.parametrize("version,length", [(6, 65), (4, 33), (4, 125)])
def test_aero_154_prefix_lengths_that_are_none(client_link, version, length):
    """Above 64 or 32 the message is dropped."""
    peer = Peer(client_link, version)
    peer.ask(prefix_length=length)
    time.sleep(0.3)
    assert (peer.entry(), peer.redirects_at(peer.server, 0)) == (None, [])
    assert peer.asked()
