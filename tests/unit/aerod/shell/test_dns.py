# SPDX-License-Identifier: GPL-3.0-or-later
"""The stub resolver's messages: held against dnspython, and against nonsense."""

from __future__ import annotations

import contextlib

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerod.address import parse_address
from aerod.shell.dns import TYPE_A, TYPE_AAAA, DNSError, parse, query
from aerod.shell.resolver import name_servers

NAME = "linkupnetworks.example.net"


def response(*rrsets: str, name: str = NAME, kind: str = "A") -> dns.message.Message:
    made = dns.message.make_response(dns.message.make_query(name, kind, id=77))
    made.answer = [dns.rrset.from_text(*text.split(" ", 4)) for text in rrsets]
    return made


def test_query_is_understood():
    """A question with recursion desired and room for a large answer."""
    message = dns.message.from_wire(query(77, NAME + ".", TYPE_AAAA))
    assert message.id == 77 and message.flags == dns.flags.RD
    assert str(message.question[0]) == f"{NAME}. IN AAAA"
    assert message.payload == 1232


@pytest.mark.parametrize("name", ["a" * 64 + ".net", "", "a..b", "bü.net", ".".join(["a" * 60] * 5)])
def test_bad_names_are_refused(name):
    """What is no name is not asked for."""
    with pytest.raises(DNSError):
        query(1, name, TYPE_A)


def test_addresses_and_smallest_ttl():
    """All addresses count, names are compared without case."""
    message = response("LinkUpNetworks.example.net. 300 IN A 203.0.113.11")
    message.answer[0].add(dns.rrset.from_text("x.", 60, "IN", "A", "203.0.113.12")[0], 300)
    answer = parse(message.to_wire())
    assert answer[:3] == (77, 0, (NAME, TYPE_A))
    assert set(answer.data) == {parse_address("203.0.113.11"), parse_address("203.0.113.12")}
    assert answer.ttl == 300


def test_aliases_are_followed():
    """A CNAME leads to the addresses; its TTL counts too."""
    chain = (f"{NAME}. 10 IN CNAME s.example.org.", "s.example.org. 300 IN AAAA fd00::1")
    answer = parse(response(*chain, kind="AAAA").to_wire())
    assert answer.data == (parse_address("fd00::1"),) and answer.ttl == 10


def test_alias_loop_ends():
    """Names that point at each other give nothing."""
    answer = parse(response(f"{NAME}. 10 IN CNAME b.", f"b. 10 IN CNAME {NAME}.").to_wire())
    assert answer.data == ()


def test_other_names_are_ignored():
    """An address of a name nobody asked for is no answer."""
    assert parse(response("evil.example.org. 300 IN A 203.0.113.66").to_wire()).data == ()


def test_name_error():
    """A negative answer is an answer."""
    message = response()
    message.set_rcode(3)
    assert parse(message.to_wire())[1:4] == (3, (NAME, TYPE_A), ())


def test_question_is_no_answer():
    """Our own query is refused."""
    with pytest.raises(DNSError):
        parse(query(1, NAME, TYPE_A))


def test_compression_loop_is_refused():
    """A name that points at itself does not hang us."""
    header = bytes.fromhex("004d81800001000100000000")
    with pytest.raises(DNSError):
        parse(header + b"\xc0\x0c" + b"\0\1\0\1")


@given(st.binary(max_size=200))
def test_any_bytes(data):
    """Any bytes are an answer or a DNSError."""
    with contextlib.suppress(DNSError):
        parse(data)


@given(st.integers(0, 120), st.integers(0, 255))
def test_damaged_answers(position, value):
    """A damaged answer is an answer or a DNSError, whole or cut off."""
    wire = bytearray(response(f"{NAME}. 10 IN CNAME s.", "s. 300 IN A 203.0.113.11").to_wire())
    wire[position % len(wire)] = value
    for damaged in (bytes(wire), bytes(wire[:position])):
        with contextlib.suppress(DNSError):
            parse(damaged)


def test_name_servers():
    """Three at most, nonsense left out."""
    text = "# nameserver 192.0.2.9\nnameserver 192.0.2.1\nnameserver x\nnameserver fe80::1%eth0\nsearch a\n"
    assert [str(server) for server in name_servers(text + "nameserver ::1\nnameserver ::2")] == [
        "192.0.2.1", "fe80::1%eth0", "::1",
    ]


def test_pointers():
    """A PTR record names a name; aliases lead to it, too."""
    name = "0.0.0.0.2.0.0.0.8.b.d.0.1.0.0.2.aero.linkupnetworks.net"
    answer = parse(response(f"{name}. 300 IN PTR Example.com.", name=name, kind="PTR").to_wire())
    assert answer.data == ("example.com",) and answer.ttl == 300
    chain = (f"{name}. 10 IN CNAME x.example.org.", "x.example.org. 300 IN PTR example.com.")
    answer = parse(response(*chain, name=name, kind="PTR").to_wire())
    assert answer.data == ("example.com",) and answer.ttl == 10
