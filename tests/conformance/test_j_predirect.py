# SPDX-License-Identifier: GPL-3.0-or-later
"""J: Predirects and Redirects as Clients make them, and as Servers and Relays pass them on."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable

import pytest

from tests.conformance import packets as p
from tests.conformance.bench import H1, H2, NATIVE6, Bench
from tests.conformance.capture import Frame
from tests.conformance.fakes import FakeDhcp
from tests.conformance.peers import (
    C1,
    C1_V4,
    PREDIRECT,
    REDIRECT,
    Peer,
    client_with_peers,
    code,
    links,
    quoted,
)
from tests.conformance.servers import NewClient, servers

ELSEWHERE, NEW = "198.51.100.222", "198.51.100.77"
EMPTY = bytes.fromhex("02 03 0000 00 ff 0000") + bytes(16)
BOTH = pytest.mark.parametrize("kind", [PREDIRECT, REDIRECT], ids=["predirect", "redirect"])
_tags = itertools.count(1)


def address_at(packet: bytes, at: int) -> str:
    return socket.inet_ntop(socket.AF_INET6, packet[at : at + 16])


def target(packet: bytes) -> str:
    return address_at(packet, 48)


def destination(packet: bytes) -> bytes:
    """The Destination Address field."""
    return packet[64:80]


# At a Client


def all_predirects(peer: Peer) -> list:
    return [r for r in list(peer.server.received) if r.nd == p.REDIRECT and code(r.payload) == PREDIRECT]


def test_aero_155_from_own_prefix_into_an_asp_only(peer):
    """No Predirect for a source outside the own prefix, nor for a destination outside the ASPs or inside the own prefix."""
    other = Peer(peer.bench)
    before = len(all_predirects(peer))
    for source, to in ((H1, NATIVE6), (H1, "2001:db9::1"), (H1, "2001:db8:1000:2001::9"), (H2, other.host), (NATIVE6, other.host)):
        peer.bench.from_host("h1", p.echo(source, to, reply=True))
    peer.bench.from_host("h1", p.echo("192.0.2.34", "192.0.3.1", reply=True))
    peer.predirect()
    assert len(all_predirects(peer)) == before + 1
    assert not other.redirects_at(peer.server, PREDIRECT)


def test_aero_155_not_while_the_path_is_direct(peer):
    """One exchange is enough as long as it lasts."""
    peer.optimise()
    before = len(peer.redirects_at(peer.server, PREDIRECT))
    for _again in range(15):
        peer.trigger()
        time.sleep(0.1)
    assert len(peer.redirects_at(peer.server, PREDIRECT)) == before


def test_aero_155_three_tries_a_second_apart_then_silence():
    """A flood brings at most one Predirect a second, three of them, and then none for 30 s; all data goes on to the Server."""
    scale = 10
    with client_with_peers(time_scale=scale) as bench:
        peer, u = Peer(bench), bench.capture()
        end, sent = time.monotonic() + 4, 0
        while time.monotonic() < end:
            peer.trigger()
            sent += 1
            time.sleep(0.01)
        asked = u.find(lambda f: f.node == "c1" and f.nd == p.REDIRECT and code(f.body) == PREDIRECT)
        gaps = [(later.time - earlier.time) * scale for earlier, later in itertools.pairwise(asked)]
        assert len(gaps) >= 3
        assert min(gaps) > 0.9
        assert [index for index, gap in enumerate(gaps) if gap > 25][:1] == [2], gaps
        bench.wait_for(lambda: len(peer.data(peer.server)) == sent, 3, "all data at the Server")


@pytest.mark.parametrize("source", [H1, "2001:db8:1000:20ff::5"])
def test_aero_156_fields_of_a_predirect(peer, source):
    """Code 1; from and about the base AERO address, to that of the destination's /64; own prefix length; source of the trigger."""
    peer.host = peer.prefix.replace("::/48", ":7::10")
    peer.trigger(source=source)
    received = peer.bench.wait_for(lambda: peer.redirects_at(peer.server, PREDIRECT), 5, "a Predirect")[0]
    packet = received.payload
    assert packet[40:42] == bytes([p.REDIRECT, PREDIRECT])
    assert packet[44:48] == bytes([0, 0, 0, 56])
    assert (received.inner.src, target(packet)) == (C1, C1)
    assert p.same(received.inner.dst, p.aero_address(peer.prefix.replace("::/48", ":7::/64")))
    assert destination(packet) == socket.inet_pton(socket.AF_INET6, source)
    assert received.inner.hlim == 255
    assert p.checksum_is_right(packet)
    assert (received.address, received.port) == (peer.bench.address("c1"), p.AERO_PORT)


def test_aero_156_fields_for_an_ipv4_prefix(client_link):
    """The same with the AERO addresses of IPv4 prefixes."""
    peer = Peer(client_link, 4)
    packet = peer.predirect()
    assert (address_at(packet, 8), target(packet)) == (C1_V4, C1_V4)
    assert p.same(address_at(packet, 24), p.aero_address(peer.host))
    assert packet[44:48] == bytes([0, 0, 0, 28])


@pytest.mark.parametrize("version", [6, 4])
def test_aero_157_redirections_tell_no_address(client_link, version):
    """TLLAOs of Predirects and Redirects have port 0 and address 0."""
    peer = Peer(client_link, version)
    for packet in (peer.predirect(), Peer(client_link, version).asked()):
        assert [data for number, data in p.nd_options(packet) if number == p.TLLAO] == [EMPTY]


def test_aero_157_advertisements_tell_no_address():
    """Those that tell of a new address do not say which either: the Server does."""
    with client_with_peers() as bench:
        peer = Peer(bench)
        peer.asked()
        bench.ip("c1", f"addr del {bench.address('c1')}/24 dev eth0", f"addr add {NEW}/24 dev eth0")
        received = bench.server.wait_for(lambda r: r.nd == p.NA and p.same(r.inner.dst, peer.aero) and not r.payload[44] & 0x40, 8)
        assert received.address == NEW
        assert [data for number, data in p.nd_options(received.payload) if number == p.TLLAO] == [EMPTY]


def without_hop_limit(packet: bytes) -> bytes:
    """A packet without what a router changes in it."""
    return packet[:7] + packet[8:] if packet[0] >> 4 == 6 else packet[:8] + packet[9:10] + packet[12:]


@pytest.mark.parametrize("version,header", [(6, 40), (4, 20)])
@pytest.mark.parametrize("size", [64, 1200, 1280, 1500])
def test_aero_158_trigger_in_the_redirected_header(client_link, version, header, size):
    """It begins with the trigger's IP header, and the message is 1280 bytes long at most."""
    peer = Peer(client_link, version)
    packet = peer.predirect(size)
    sent = p.echo(peer.h1, peer.host, size, ident=peer.number, reply=True)
    part = quoted(packet)
    assert len(part) >= header
    end = min(len(part), size)
    assert without_hop_limit(part[:end]) == without_hop_limit(sent[:end])
    assert not any(part[end:])
    assert len(packet) == 40 + int.from_bytes(packet[4:6], "big") <= 1280


@pytest.mark.parametrize("size", [100, 1120])
def test_aero_158_redirect_quotes_the_predirect(peer, size):
    """The same packet, as far as it fits into 1280 bytes."""
    trigger = p.echo(peer.host, H1, size, ident=peer.number)
    asking = p.redirect(peer.aero, C1, peer.aero, peer.host, 48, peer.options(p.nonce()) + p.redirected(trigger), code=PREDIRECT)
    assert len(asking) <= 1280
    peer.send_by(peer.server, asking)
    packet = peer.bench.wait_for(lambda: peer.redirects_at(peer.server, REDIRECT), 5, "a Redirect")[0].payload
    part = quoted(packet)
    assert len(packet) <= 1280
    assert len(part) >= 40
    assert (part[:size] + trigger[len(part) :])[:size] == trigger


def test_aero_159_ipv4_compatible_form(client_link):
    """Predirects and Redirects tell IPv4 addresses as ::a.b.c.d."""
    asking, asked = Peer(client_link, 4).predirect(), Peer(client_link, 4).asked()
    for packet in (asking, asked):
        assert destination(packet) == bytes(12) + socket.inet_aton("192.0.2.34")


@pytest.mark.parametrize("form", ["::", "::ffff:"])
def test_aero_159_either_form_is_taken(client_link, form):
    """From a correspondent, the mapped one as well."""
    peer = Peer(client_link, 4)
    assert peer.asked(about=form + peer.host)
    assert peer.entry()
    other = Peer(client_link, 4)
    other.send_by(other.server, other.redirect(other.predirect(), about=form + other.host))
    other.wait_for(lambda r: r.nd == p.NS)
    other.bench.wait_for(other.is_direct, 5, "direct data")


# At Servers and Relays


@pytest.fixture(scope="module")
def link():
    """r1, s1 and s2."""
    with servers() as bench:
        yield bench


@pytest.fixture
def pair(link) -> tuple[NewClient, NewClient]:
    """A Client of s1 and one of s2."""
    clients = NewClient(link, "s1"), NewClient(link, "s2")
    for client in clients:
        client.attach()
    for client in clients:
        link.wait_for(lambda client=client: len(client.routes("r1")) == 2)
    return clients


class Message:
    """A Predirect or Redirect from one Client to another, told from others by its nonce."""

    def __init__(self, pair: tuple[NewClient, NewClient], kind: int = PREDIRECT, *options: bytes, **how) -> None:
        client, other = pair
        self.nonce = p.nonce(next(_tags).to_bytes(6, "big"))
        host = client.acps[0].replace("/48", "10")
        given = {"source": client.aero, "destination": other.aero, "target": client.aero, "about": host, "prefix_length": 48, **how}
        more = p.timestamp(time.time()) + self.nonce + p.redirected(p.echo(host, other.acps[0].replace("/48", "20"), 101))
        self.packet = p.redirect(**given, options=b"".join(options or (p.tllao(),)) + more, code=kind)

    def by(self, node: str) -> Callable[[Frame], bool]:
        """Whether a frame is the message as a node sends it."""
        return lambda f: f.node == node and f.nd == p.REDIRECT and p.nd_option(f.body, p.NONCE) == self.nonce


def passes(u, client: NewClient, message: Message) -> Frame:
    """Send a message to s1: what s1 sends to r1."""
    client.send(message.packet, "s1")
    frame = u.wait_for(message.by("s1"))
    assert frame.dst == client.bench.address("r1")
    return frame


def second_link(client: NewClient, link_id: int, port: int) -> None:
    """Have the Client's Server know another link of it."""
    message = client.message(p.REBIND, link_id=link_id, preference=100, xid=0x5000 + client.number)
    client.bench.inject(p.dhcp_packet(client.aero, p.ALL_AGENTS, message), (NEW, port), "s1")
    client.bench.wait_for(lambda: len(client.entry()["links"]) == 2, 5, "the second link")


@BOTH
def test_aero_160_unknown_link_ids(pair, u, kind):
    """A message with any Link ID that the Client does not have is dropped; with all or some of those it has, it passes."""
    client = pair[0]
    bad = [Message(pair, kind, p.tllao(9)), Message(pair, kind, p.tllao(0), p.tllao(9)), Message(pair, kind, p.tllao(9), p.tllao(0)),
           Message(pair, kind, p.tllao(5))]  # fmt: skip
    for message in bad:
        client.send(message.packet, "s1")
    passes(u, client, Message(pair, kind))
    second_link(client, 5, 1234)
    for message in bad[:3]:
        client.send(message.packet, "s1")
    for options in ([p.tllao(0), p.tllao(5)], [p.tllao(5), p.tllao(0)], [p.tllao(0)], [p.tllao(5)]):
        passes(u, client, Message(pair, kind, *options))
    assert not [frame for message in bad for frame in u.find(message.by("s1"))]


@BOTH
def test_aero_161_what_was_not_delegated(pair, u, kind):
    """Another prefix length, another's address, one that is not the base, or a Target that is not the source: dropped."""
    client, other = pair
    neighbor = NewClient(client.bench, "s1")
    neighbor.attach()
    inside = p.aero_address(client.acps[0].replace("::/48", ":1::/64"))
    v4 = p.aero_address(client.acps[1])
    about4 = "::" + client.acps[1].split("/")[0]
    wrong = [{"prefix_length": length} for length in (0, 32, 47, 49, 64, 30)]
    wrong += [{"source": one, "target": one} for one in (other.aero, neighbor.aero, inside, p.aero_address("2001:db8:ffff::/48"))]
    wrong += [{"target": one} for one in (other.aero, neighbor.aero, inside, v4)]
    wrong += [{"source": one} for one in (other.aero, neighbor.aero, inside, v4)]
    wrong += [{"source": v4, "target": v4, "about": about4, "prefix_length": length} for length in (24, 29, 32, 48)]
    messages = [Message(pair, kind, **how) for how in wrong]
    for message in messages:
        client.send(message.packet, "s1")
    passes(u, client, Message(pair, kind))
    passes(u, client, Message(pair, kind, source=v4, target=v4, about=about4, prefix_length=30, destination=p.aero_address(other.acps[1])))
    assert [how for how, message in zip(wrong, messages, strict=True) if u.find(message.by("s1"))] == []


@BOTH
def test_aero_162_server_fills_in_what_it_knows(pair, u, kind):
    """Port and address of each Link ID, whatever the Client wrote there; the Preferences stay."""
    client = pair[0]
    second_link(client, 5, 1234)
    first, second = (client.port, client.address), (1234, NEW)
    frame = passes(u, client, Message(pair, kind, p.tllao(5, 70), p.tllao(0, 80)))
    assert links(frame.body) == [p.LinkLayer(p.TLLAO, 5, 70, *second), p.LinkLayer(p.TLLAO, 0, 80, *first)]
    frame = passes(u, client, Message(pair, kind, p.tllao(0, 255, 9999, ELSEWHERE)))
    assert links(frame.body) == [p.LinkLayer(p.TLLAO, 0, 255, *first)]


def test_aero_162_ipv6_underlay(pair, u):
    """A Client that came over IPv6 is told with that address."""
    client = pair[0]
    message = client.message(p.REBIND, xid=0x162)
    client.send(p.dhcp_packet(client.aero, p.ALL_AGENTS, message), "s1", 6)
    client.reply(message)
    packet = Message(pair)
    client.send(packet.packet, "s1", 6)
    (told,) = links(u.wait_for(packet.by("s1")).body)
    assert (told.port, told.address) == (client.port, client.bench.address("c1", 6))


def test_aero_162_outside_of_a_nat(make_bench):
    """A Client behind a NAT is told with the address and port that the Server sees."""
    bench: Bench = make_bench(nodes=("r1", "s1", "c1", "c2", "x"))
    bench.insert_nat()
    bench.start("r1", "s1")
    bench.dhcp = {"s1": bench.closing(FakeDhcp(bench, "s1"))}
    pair = NewClient(bench, "s1", "c1"), NewClient(bench, "s1", "c2")
    for client in pair:
        client.attach()
    u = bench.capture()
    message = Message(pair)
    pair[0].send(message.packet, "s1")
    outside, frame = u.wait_for(message.by("nat")), u.wait_for(message.by("s1"))
    assert outside.src == "198.51.100.50"
    assert outside.sport != pair[0].port
    assert links(outside.body) == [p.LinkLayer(p.TLLAO, 0, 255, 0, "::")]
    assert links(frame.body) == [p.LinkLayer(p.TLLAO, 0, 255, outside.sport, outside.src)]
    # The other is a Client of the same Server: straight to it.
    assert frame.dst == bench.address("c2")


@BOTH
def test_aero_163_checksum_is_right_after_the_fill(pair, u, kind):
    """It is that of the message as it is now; all else is as it was, the Hop Limit too."""
    client = pair[0]
    second_link(client, 5, 1234)
    for options in ([p.tllao()], [p.tllao(0), p.tllao(5)], [p.tllao(0, 1, 9999, ELSEWHERE)], [p.tllao(5), p.tllao(5)]):
        message = Message(pair, kind, *options)
        body = passes(u, client, message).body
        assert p.checksum_is_right(body)
        sent, end = message.packet, 80 + 24 * len(options)
        assert body[:42] + body[44:80] == sent[:42] + sent[44:80]
        assert body[end:] == sent[end:]
        assert body[7] == 255


def test_aero_163_wrong_checksum_is_not_made_right(pair, u):
    """A message that is damaged when it comes is dropped."""
    client = pair[0]
    bad = Message(pair)
    client.send(bad.packet[:42] + bytes([bad.packet[42] ^ 0x55]) + bad.packet[43:], "s1")
    passes(u, client, Message(pair))
    assert not u.find(bad.by("s1"))


@BOTH
def test_aero_164_same_bytes_all_the_way(pair, u, kind):
    """What s1 sends is what r1 and s2 send, and what the other Client gets."""
    client, other = pair
    bodies = [passes(u, client, (message := Message(pair, kind))).body]
    bodies += [u.wait_for(message.by(node)).body for node in ("r1", "s2")]
    bodies.append(other.wait_for(lambda r: r.nd == p.REDIRECT).payload)
    assert bodies[1:] == bodies[:1] * 3
    assert links(bodies[0])[0].address == client.address


@BOTH
def test_aero_164_nothing_is_filled_in_further_along(pair, u, kind):
    """TLLAOs of a Relay's or a Server's neighbor pass s2 and r1 as they came, though Link IDs are unknown there or addresses wrong."""
    client, other = pair
    for options in ([p.tllao(0, 255, 9999, ELSEWHERE)], [p.tllao(9, 7), p.tllao(0, 8)], [p.tllao()]):
        message = Message(pair, kind, *options)
        client.bench.inject(message.packet, "r1", "s2")
        assert u.wait_for(message.by("s2")).body == message.packet
        other.wait_for(lambda r, packet=message.packet: r.payload == packet)
        message = Message(pair, kind, *options)
        client.bench.inject(message.packet, "s1", "r1")
        assert u.wait_for(message.by("r1")).body == message.packet
