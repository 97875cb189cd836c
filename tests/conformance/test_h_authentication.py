# SPDX-License-Identifier: GPL-3.0-or-later
"""H: Clients prove who they are."""

from __future__ import annotations

import signal

import pytest

from tests.conformance import authentication as a
from tests.conformance import packets as p
from tests.conformance.bench import Bench
from tests.conformance.conftest import start_link
from tests.conformance.fakes import FakeDhcp
from tests.conformance.plan import NODES
from tests.conformance.servers import NewClient, kea_server
from tests.unit.plugins.action.example_inventory import Inventory

CONFIRM, DECLINE, INFORMATION_REQUEST = 4, 9, 11
KEA_ID = bytes.fromhex("0002 0000b0e2 AE000000000B")


@pytest.fixture(scope="module")
def link():
    """r1, s1 and s2, whose Clients must have keys."""
    bench = Bench(nodes=("r1", "s1", "s2", "c1", "c2", "x"))
    try:
        bench.build()
        for server in ("s1", "s2"):
            a.use_keys(bench, server, a.OLD)
        bench.start("r1", "s1", "s2")
        bench.dhcp = {name: bench.closing(FakeDhcp(bench, name)) for name in ("s1", "s2")}
        yield bench
    finally:
        bench.destroy()


@pytest.fixture
def client(link) -> NewClient:
    return NewClient(link)


def packet(message: p.Dhcp, source: str = p.UNASSIGNED) -> bytes:
    return p.dhcp_packet(source, p.ALL_AGENTS, message)


def signed(client: NewClient, message: p.Dhcp | None = None, server: str = "s1", **how) -> p.Dhcp:
    return a.signed(message or client.message(p.SOLICIT), client.bench.address(server), **how)


def attach(client: NewClient, server: str = "s1") -> p.Dhcp:
    """Get the prefixes, with all that is needed for it."""
    message = signed(client, server=server)
    client.send(packet(message), server)
    return client.reply(message).dhcp


def held(client: NewClient, server: str = "s1") -> tuple[list, list] | None:
    """What the Server knows of a Client, but for the times."""
    entry = client.entry(server)
    return entry and (entry["links"], entry["prefixes"])


def ignored(client: NewClient, message: p.Dhcp, server: str = "s1", reason: str = "") -> None:
    """Not a word to the DHCPv6 server, none back, nothing made; counted once.

    Another Client is served meanwhile, so it was looked at.
    """
    link, before = client.bench, client.bench.counters(server)
    told, entry, received = len(link.dhcp[server].forwards), held(client, server), len(client.received)
    client.send(packet(message), server)
    witness = NewClient(link, server)
    assert attach(witness, server).prefixes()
    after = link.counters(server)
    counter = f"drop_auth_{reason}"
    assert after.get(counter, 0) == before.get(counter, 0) + 1
    assert len(link.dhcp[server].forwards) == told + 1
    assert (held(client, server), len(client.received)) == (entry, received)


def test_aero_130_a_client_with_its_key(client):
    """Gets its prefixes; the Reply is signed for the same address, time and key, after all else."""
    message = signed(client)
    client.send(packet(message), "s1")
    reply = client.reply(message).dhcp
    assert [prefix for _iaid, prefix, *_times in reply.prefixes()] == list(client.acps)
    assert reply.aero()[p.ALLAREP] == p.allarep(client.address, client.port)
    assert a.is_signed(reply, client.bench.address("s1"), a.client_key(client.duid))
    assert a.replay_of(reply) == a.replay_of(message)
    assert client.entry()
    forward = client.bench.dhcp["s1"].forwards[-1]
    assert forward.get(p.RELAYED) == message.pack()


def test_aero_130_a_solicit_without_auth_is_ignored(client):
    ignored(client, client.message(p.SOLICIT), reason="missing")


@pytest.mark.parametrize("head", [b"\3\1\0", b"\xfe\2\0", b"\xfe\1\1"])
def test_aero_130_another_kind_of_auth(client, head):
    """Another protocol, algorithm or replay detection method."""
    message = signed(client)
    message.options[-1] = (p.AUTH, head + message.get(p.AUTH)[3:])
    ignored(client, message, reason="form")


def test_aero_130_a_wrong_key(client):
    ignored(client, signed(client, key=a.client_key(b"another DUID")), reason="mac")
    ignored(client, signed(client, key=(99, a.OLD[1])), reason="key")


def test_aero_130_a_changed_message(client):
    """One Preference other than was signed."""
    message = signed(client)
    changed = [(code, data[:-1] + b"\1" if code == p.VENDOR else data) for code, data in message.options]
    assert changed != message.options
    message.options = changed
    ignored(client, message, reason="mac")


@pytest.mark.parametrize("off", [-310, 310])
def test_aero_130_a_wrong_clock(client, off):
    """More than 300 s from the Server's."""
    ignored(client, signed(client, replay=a.ntp(off)), reason="clock")


def test_aero_130_a_replayed_message(client):
    """What somebody captured moves the Client nowhere: not from another place, not at another Server or address."""
    link, message = client.bench, signed(client)
    client.send(packet(message), "s1")
    client.reply(message)
    other = NewClient(link)
    other.duid, other.acps, other.aero = client.duid, client.acps, client.aero
    ignored(other, message, reason="replay")
    assert held(client)[0][0]["port"] == client.port
    ignored(NewClient(link, "s2"), message, "s2", reason="mac")
    assert held(client, "s2") is None


def test_aero_130_a_replay_after_a_crash(client):
    """Also of what came right before it, and was not saved yet."""
    link, message = client.bench, signed(client)
    client.send(packet(message), "s1")
    client.reply(message)
    link.dhcp["s1"].close()
    link.kill("s1", signal.SIGKILL)
    link.start("s1")
    grants = link.dhcp["s1"].grants
    link.dhcp["s1"] = link.closing(FakeDhcp(link, "s1"))
    link.dhcp["s1"].grants = grants
    client.clear()
    ignored(client, message, reason="replay")
    assert attach(client).prefixes()


def test_aero_130_the_time_must_rise(client):
    """An older message than the last, though never seen before, is not taken."""
    now = a.ntp()
    message = signed(client, replay=now)
    client.send(packet(message), "s1")
    client.reply(message)
    client.clear()
    ignored(client, signed(client, client.message(p.SOLICIT, xid=0x77), replay=now - 1), reason="replay")
    later = signed(client, client.message(p.SOLICIT, xid=0x78), replay=now + 1)
    client.send(packet(later), "s1")
    assert client.reply(later)


KINDS = [p.SOLICIT, p.REQUEST, CONFIRM, p.RENEW, p.REBIND, p.RELEASE, DECLINE, INFORMATION_REQUEST]


@pytest.mark.parametrize("kind", KINDS)
def test_aero_130_no_message_in_anothers_name(link, kind):
    """Whoever has a key of his own and puts another's Client ID in, alone or beside his own."""
    thief, victim = NewClient(link), NewClient(link)
    assert attach(victim).prefixes()
    before, expires = held(victim), victim.entry()["expires_in"]
    stolen = victim.message(kind, xid=0x31)
    ignored(thief, signed(thief, stolen, key=a.client_key(thief.duid)), reason="mac")
    both = thief.message(kind, xid=0x32)
    both.options.append((p.CLIENT_ID, victim.duid))
    ignored(thief, signed(thief, both), reason="form")
    assert held(victim) == before
    assert victim.entry()["expires_in"] < expires


def test_aero_130_no_relay_agent_but_the_servers_own(link):
    """A Relay-forward around a good message, and one around that."""
    thief = NewClient(link)
    inner = signed(thief).pack()
    told = len(link.dhcp["s1"].forwards)
    for hops in range(2):
        inner = p.Dhcp(p.RELAY_FORWARD, 0, [(p.RELAYED, inner), (p.RSOO, b"")], hops, "::", p.UNASSIGNED).pack()
        thief.send(packet(inner), "s1")
    assert attach(NewClient(link)).prefixes()
    assert len(link.dhcp["s1"].forwards) == told + 1
    assert (thief.entry(), thief.received) == (None, [])


def test_aero_130_two_generations_of_keys(client):
    """While keys are changed, both are good; then the new one alone. The daemon goes on meanwhile."""
    link, pid = client.bench, client.bench.pid("s1")
    try:
        _change_keys(link, a.NEW, a.OLD)
        for number, master in enumerate((a.OLD, a.NEW)):
            message = signed(client, client.message(p.SOLICIT, xid=0x50 + number), key=a.client_key(client.duid, master))
            client.send(packet(message), "s1")
            assert a.is_signed(client.reply(message).dhcp, link.address("s1"), a.client_key(client.duid, master))
        _change_keys(link, a.NEW)
        before = link.counters("s1").get("drop_auth_key", 0)
        client.send(packet(signed(client)), "s1")
        link.wait_for(lambda: link.counters("s1").get("drop_auth_key", 0) == before + 1)
        assert client.entry() and link.pid("s1") == pid
    finally:
        _change_keys(link, a.OLD)


def _change_keys(link: Bench, *keys: a.Key) -> None:
    a.write_keys(link, "s1", *keys)
    link._processes["s1"].send_signal(signal.SIGHUP)
    link.wait_for(lambda: link.ask("s1", "status")["authentication"]["keys"] == [number for number, _secret in keys])


def test_aero_130_bad_keys_are_refused_as_a_whole(link):
    """A file that is no good changes nothing, and its secrets are in no log."""
    (link.directory / "s1" / "dhcp_keys").write_text("7 5ec2e7\n")
    try:
        said = link.check_config("s1")
        assert "dhcp_keys, line 1: the secret must be hex digits for at least 32 bytes" in said
        link._processes["s1"].send_signal(signal.SIGHUP)
        link.wait_for(lambda: "the keys stay as they were" in link.log("s1"))
        assert link.ask("s1", "status")["authentication"]["keys"] == [7]
        assert "5ec2e7" not in link.log("s1") + said
    finally:
        a.write_keys(link, "s1", a.OLD)


# The Client's half

C1 = bytes.fromhex(NODES["c1"].duid)
C1_KEY = a.client_key(C1)


def test_aero_130_what_a_client_sends(client_bench):
    """Each message is signed for its Server, with a later time than the one before, also after a restart."""
    bench, server = client_bench, client_bench.server
    a.use_keys(bench, "c1", C1_KEY)
    server.grants.silent = True
    bench.start("c1")
    bench.wait_for(lambda: len(server.grants.seen) >= 2)
    bench.kill("c1", signal.SIGKILL)
    bench.start("c1")
    bench.wait_for(lambda: len(server.grants.seen) >= 4)
    messages = list(server.grants.seen)
    assert all(a.is_signed(message, bench.address("s1"), C1_KEY) for message in messages)
    times = [a.replay_of(message) for message in messages]
    assert times == sorted(set(times))
    assert abs(times[-1] - a.ntp()) < 60 << 32


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda reply, asked, at: reply, "missing"),
        (lambda reply, asked, at: a.signed(reply, at, (7, bytes(32)), a.replay_of(asked)), "mac"),
        (lambda reply, asked, at: a.signed(reply, at, a.client_key(C1, a.NEW), a.replay_of(asked)), "key"),
        (lambda reply, asked, at: a.signed(reply, "198.51.100.12", C1_KEY, a.replay_of(asked)), "mac"),
        (lambda reply, asked, at: a.signed(reply, at, C1_KEY, a.replay_of(asked) - 5), "replay"),
    ],
    ids=["without", "wrong key", "unknown key", "another Server's", "another question's"],
)
def test_aero_130_what_a_client_does_not_believe(client_bench, spoil, reason):
    """It drops the Reply, counts it, and takes the next one that is right."""
    bench, server = client_bench, client_bench.server
    a.use_keys(bench, "c1", C1_KEY)
    at, replies = bench.address("s1"), []

    def change(reply: p.Dhcp) -> p.Dhcp:
        asked = server.grants.seen[-1]
        replies.append(reply)
        good = a.signed(reply, at, C1_KEY, a.replay_of(asked))
        return spoil(reply, asked, at) if len(replies) == 1 else good

    server.grants.change = change
    bench.start("c1")
    bench.wait_for(lambda: bench.is_bound("c1"))
    assert bench.counters("c1")[f"drop_auth_{reason}"] == 1
    assert len(replies) >= 2


def test_aero_130_both_halves(make_bench):
    """A Client moves from s1 to s2, and its Release, signed for s1, goes through s2."""
    bench = make_bench(nodes=("r1", "s1", "s2", "c1"))
    for server in ("s1", "s2"):
        a.use_keys(bench, server, a.OLD)
    others = {"s1": "s2", "s2": "s1"}
    for server, other in others.items():
        known = {"name": other, "id": NODES[other].id, "addresses": bench.addresses(other)[::-1]}
        bench.configure(server, other_server=[known], server={"release_grace": 0.5})
    a.use_keys(bench, "c1", C1_KEY)
    bench.configure("c1", client={"server_addresses": [bench.address("s1"), bench.address("s2")]})
    start_link(bench)
    u = bench.capture()
    first = next(s for s in ("s1", "s2") if bench.neighbors(s, "static"))
    assert bench.ask("c1", "move")
    # The relayed Release comes to another address than the one it was signed for.
    release = u.wait_for(lambda f: f.node == others[first] and f.dhcp and f.dhcp.type == p.RELEASE)
    assert release.dst == bench.addresses(first)[1]
    assert a.is_signed(release.dhcp, bench.address(first), C1_KEY)
    bench.wait_for(lambda: not bench.neighbors(first, "static") and bench.neighbors(others[first], "static"))
    assert {name for node in ("s1", "s2", "c1") for name in bench.counters(node) if name.startswith("drop_auth")} == set()


def test_aero_130_with_kea():
    """Kea does not mind AUTH in a message."""
    with kea_server(lambda bench: a.use_keys(bench, "s1", a.OLD)) as bench:
        client = bench.client
        for number, kind in enumerate((p.SOLICIT, p.RENEW, p.REBIND, p.RELEASE)):
            message = client.message(kind, xid=0x900 + number, server_id=KEA_ID)
            message = a.signed(message, bench.address("s1"))
            client.send(packet(message, p.UNASSIGNED if kind == p.SOLICIT else client.aero), "s1")
            reply = client.reply(message).dhcp
            assert a.is_signed(reply, bench.address("s1"), a.client_key(client.duid))
            if kind != p.RELEASE:
                assert [prefix for _iaid, prefix, *_times in reply.prefixes()] == list(client.acps)


# What the operator is told


@pytest.mark.parametrize(
    ("mode", "protected", "warning"),
    [("duid", "false", "whoever knows a Client's ID"), ("psk", "false", "whoever can send on"), ("duid", "true", "")],
)
def test_aero_144_validation_warns(tmp_path, mode, protected, warning):
    """Of DHCPv6 without keys where nothing below guards it; never where it is guarded."""
    values = ("-e", f"aero_dhcp_authentication={mode}", "-e", f"aero_underlay_protected={protected}")
    code, output = Inventory(tmp_path).run(*values)
    said = " ".join(output.split())
    assert code == 0, said
    assert ("[WARNING]: aero_underlay_protected" in said) == bool(warning)
    assert warning in said
