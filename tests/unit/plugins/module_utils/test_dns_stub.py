# SPDX-License-Identifier: GPL-3.0-or-later
"""The stub resolver against messages that dnspython made, and against a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from ansible_collections.aero.link.plugins.module_utils._dns_stub import (
    NoAnswer,
    decode_answer,
    encode_query,
    resolve,
    system_name_servers,
)
from hypothesis import given, settings
from hypothesis import strategies as st

NAME = "linkupnetworks.example.net."


def answer(query, kind, *values, rcode=dns.rcode.NOERROR):
    """The wire form of an answer to the wire form of a query."""
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.set_rcode(rcode)
    if values:
        reply.answer.append(dns.rrset.from_text(NAME, 300, "IN", kind, *values))
    return reply.to_wire()


def test_a_query_is_what_dnspython_would_send():
    """Recursion desired, one question, EDNS with room for big answers."""
    query = dns.message.from_wire(encode_query(77, NAME, "AAAA"))
    assert query.id == 77
    assert query.flags & dns.flags.RD
    assert query.question[0].to_text() == f"{NAME} IN AAAA"
    assert query.payload == 4096


@pytest.mark.parametrize(
    ("kind", "values"),
    [("A", ["203.0.113.11", "203.0.113.12"]), ("AAAA", ["fd00:ae::11"]), ("PTR", ["example.net."])],
)
def test_answers_of_each_type(kind, values):
    """The data as text, sorted; names written with compression."""
    wire = answer(encode_query(1, NAME, kind), kind, *reversed(values))
    assert decode_answer(wire, kind) == ("NOERROR", values)


def test_a_name_that_does_not_exist():
    """The response code tells."""
    wire = answer(encode_query(1, NAME, "A"), "A", rcode=dns.rcode.NXDOMAIN)
    assert decode_answer(wire, "A") == ("NXDOMAIN", [])


def test_an_alias_is_followed_by_its_records():
    """Records of another type in the answer are passed over."""
    reply = dns.message.make_response(dns.message.from_wire(encode_query(1, NAME, "A")))
    reply.answer.append(dns.rrset.from_text(NAME, 300, "IN", "CNAME", "s.example.net."))
    reply.answer.append(dns.rrset.from_text("s.example.net.", 300, "IN", "A", "203.0.113.11"))
    assert decode_answer(reply.to_wire(), "A") == ("NOERROR", ["203.0.113.11"])


@settings(max_examples=200)
@given(st.binary(max_size=80), st.integers(0, 60))
def test_whatever_comes_is_an_answer_or_refused(noise, cut):
    """Cut, changed or made-up messages end in a value or in ValueError, and never in a loop."""
    wire = answer(encode_query(1, NAME, "PTR"), "PTR", "example.net.")
    for message in (noise, wire[:cut] + noise, wire[:12] + noise):
        with contextlib.suppress(ValueError):
            decode_answer(message, "PTR")


@pytest.fixture
def server():
    """A name server on the loopback: the addresses of UDP and TCP, and what to answer on each."""
    udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
    # Far more TCP ports are taken on a busy machine, so TCP chooses.
    tcp.bind(("127.0.0.1", 0))
    udp.bind(tcp.getsockname())
    tcp.listen(1)
    yield udp, tcp, udp.getsockname()[1]
    udp.close()
    tcp.close()


def test_an_answer_over_the_network(server):
    """Datagrams with a foreign identifier are passed over."""
    udp, _tcp, port = server

    def serve():
        query, client = udp.recvfrom(4096)
        wire = answer(query, "A", "203.0.113.11")
        udp.sendto(bytes([wire[0] ^ 1]) + wire[1:], client)
        udp.sendto(wire, client)

    threading.Thread(target=serve, daemon=True).start()
    assert resolve(NAME, "A", ["127.0.0.1"], port=port) == ("NOERROR", ["203.0.113.11"])


def test_a_truncated_answer_is_asked_for_over_tcp(server):
    """The answer of TCP counts."""
    udp, tcp, port = server

    def serve():
        query, client = udp.recvfrom(4096)
        reply = dns.message.make_response(dns.message.from_wire(query))
        reply.flags |= dns.flags.TC
        udp.sendto(reply.to_wire(), client)
        connection, _address = tcp.accept()
        with connection:
            length = int.from_bytes(connection.recv(2), "big")
            wire = answer(connection.recv(length), "A", "203.0.113.11")
            connection.sendall(len(wire).to_bytes(2, "big") + wire)

    threading.Thread(target=serve, daemon=True).start()
    assert resolve(NAME, "A", ["127.0.0.1"], port=port) == ("NOERROR", ["203.0.113.11"])


def test_a_silent_server_is_named(server):
    """After the time given, and when there is none to ask."""
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1: no answer within 0\.1 s"):
        resolve(NAME, "A", ["127.0.0.1"], timeout=0.1, port=server[2])
    with pytest.raises(NoAnswer, match="no name server"):
        resolve(NAME, "A", [])


def test_the_name_servers_of_the_system(tmp_path):
    """Comments and other keywords are passed over."""
    path = tmp_path / "resolv.conf"
    path.write_text("# nameserver 1\nsearch example.net\nnameserver 203.0.113.53\nnameserver fd00:ae::53\n")
    assert system_name_servers(str(path)) == ["203.0.113.53", "fd00:ae::53"]
    assert system_name_servers(str(tmp_path / "none")) == []
