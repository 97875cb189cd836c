# SPDX-License-Identifier: GPL-3.0-or-later
"""H: what a Server and Kea do together."""

from __future__ import annotations

import struct

import pytest

from tests.conformance import packets as p
from tests.conformance.servers import kea_server

KEA_ID = bytes.fromhex("0002 0000b0e2 AE000000000B")
USE_MULTICAST = 5


@pytest.fixture(scope="module")
def link():
    """r1, s1 and Kea beside it."""
    with kea_server() as bench:
        yield bench


def statuses(reply: p.Dhcp) -> set[int]:
    """The status codes of a Reply and of its IA_PDs."""
    found = list(reply.all(p.STATUS))
    found += [data for ia in reply.all(p.IA_PD) for code, data in p.parse_options(ia[12:]) if code == p.STATUS]
    return {struct.unpack("!H", data[:2])[0] for data in found}


def granted(reply: p.Dhcp) -> list[str]:
    return [prefix for _iaid, prefix, _preferred, valid in reply.prefixes() if valid]


@pytest.fixture
def client(link):
    """The Client that Kea knows, without a binding."""
    yield link.client
    link.client.clear()
    link.client.exchange(p.RELEASE, server_id=KEA_ID, xid=0xEEEEEE)
    link.wait_for(lambda: link.client.entry() is None)
    link.client.clear()


def test_aero_129_unknown_client(link):
    """No prefix, no entry, no route for a DUID that is not in the table."""
    reply = link.stranger.exchange(p.SOLICIT)
    assert (granted(reply), statuses(reply)) == ([], {p.NO_PREFIX})
    assert link.stranger.entry() is None
    assert link.stranger.routes("s1") == link.stranger.routes("r1") == []


def test_aero_135_options_of_a_reply_by_kea(client):
    """ALLAREP and ASPADV stand there once, whoever of Kea and its relay agent put them in, beside prefixes of both families."""
    reply = client.attach()
    assert granted(reply) == list(client.acps)
    assert reply.aero() == {p.ALLAREP: p.allarep(client.address, client.port), p.ASPADV: p.aspadv("2001:db8::/32", "192.0.2.0/24")}
    assert len(reply.all(p.VENDOR)) == 1


@pytest.mark.parametrize("hint", ["its own", "another"])
def test_aero_138_rebind_of_an_unknown_binding(client, hint):
    """NoBinding or a fresh grant of the same prefixes, never of another that is asked for."""
    message = client.message(p.REBIND)
    asked = client.acps if hint == "its own" else ("2001:db8:7777::/48", "192.0.2.240/30")
    message.options = [option for option in message.options if option[0] != p.IA_PD]
    message.options += [p.ia_pd(iaid, prefix) for iaid, prefix in enumerate(asked, 1)]
    client.send(p.dhcp_packet(client.aero, p.ALL_AGENTS, message), "s1")
    reply = client.reply(message).dhcp
    assert granted(reply) or statuses(reply) == {p.NO_BINDING}
    assert set(granted(reply)) <= set(client.acps)
    entry = client.entry()
    assert (entry is not None) == bool(granted(reply))
    assert entry is None or set(entry["prefixes"]) <= set(client.acps)


@pytest.mark.parametrize("kind", [p.RENEW, p.RELEASE], ids=["renew", "release"])
def test_aero_140_unicast_to_the_servers_own_address(client, kind):
    """What is sent to fe80::ID is accepted, and never refused with UseMulticast."""
    client.attach()
    reply = client.solicit("fe80::b", client.aero, kind, server_id=KEA_ID, xid=0x41).dhcp
    assert statuses(reply) <= {0}
    if kind == p.RENEW:
        assert granted(reply) == list(client.acps)
    else:
        client.bench.wait_for(lambda: client.entry() is None)
