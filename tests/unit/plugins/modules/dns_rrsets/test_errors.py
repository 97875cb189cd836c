# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says when it cannot publish."""

from __future__ import annotations

import re
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from ansible_collections.aero.link.plugins.modules import dns_rrsets

NAME = "linkupnetworks.example.net"
RECORD = {"name": NAME, "type": "A", "values": ["203.0.113.11"]}
NOBODY = SimpleNamespace(address="127.0.0.1", port=1)
WRONG_SECRET = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc="


def test_a_key_with_another_secret(server, refused):
    message = refused(server, RECORD, key_secret=WRONG_SECRET)
    assert "another secret for the TSIG key link. (BADSIG)" in message
    assert server.ask(NAME, "A") == "NOERROR"


def test_a_key_the_server_does_not_know(server, refused):
    assert "no TSIG key nobody. of algorithm hmac-sha256. that may do this (BADKEY)" in refused(
        server, RECORD, key_name="nobody"
    )
    assert "BADKEY" in refused(server, RECORD, key_algorithm="hmac-sha512")


def test_check_mode_warns_of_a_wrong_key(server, publish):
    """The run itself may be what gives the server another key."""
    result = publish(server, RECORD, key_secret=WRONG_SECRET, check=True)
    assert "BADSIG" in str(result["warnings"])
    assert result["changed"] is True


@pytest.mark.parametrize(("offset", "word"), [(7200, "behind"), (-7200, "ahead of")])
def test_clock_skew_in_seconds(server, refused, monkeypatch, offset, word):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + offset)
    message = refused(server, RECORD)
    skew = re.search(rf"\(BADTIME\): the server's clock is (\d+) s {word} the clock here", message)
    assert skew, message
    assert 7195 <= int(skew[1]) <= 7205


def test_a_name_the_key_may_not_change(server, refused):
    message = refused(server, {**RECORD, "name": "www.example.net"})
    if server.backend == "bind":
        assert "refused the update of the zone example.net. (key link.) with REFUSED: its policy" in message


def test_a_zone_the_server_has_not_got(server, refused):
    for record in (
        {**RECORD, "name": "a.example.org"},
        {**RECORD, "name": "a.example.org", "zone": "example.org"},
    ):
        message = refused(server, record)
        assert "is not authoritative for the" in message
        assert "example.org" in message


def test_a_name_in_another_zone_than_said(server, refused):
    assert "outside the zone aero.test." in refused(server, {**RECORD, "zone": "aero.test"})


def test_a_server_that_is_not_there(refused):
    assert "127.0.0.1 port 1 cannot be reached" in refused(NOBODY, RECORD)
    assert "cannot be reached" in refused(NOBODY, RECORD, protocol="udp")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_server_that_does_not_answer(refused, protocol):
    with socket.socket(type=socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            silent.listen()
        message = refused(Place(silent), RECORD, protocol=protocol, timeout=0.2)
    assert "gave no answer within 0.2 s" in message


def unsigned(query):
    """A well-formed answer without records: header (RFC 1035 section 4.1.1) and question."""
    question = query[12 : query.index(b"\0", 12) + 5]
    return query[:2] + b"\x84\0" + b"\0\1\0\0\0\0\0\0" + question


@pytest.mark.parametrize("answer", [lambda _query: b"not at all!!", unsigned, lambda query: query])
def test_an_answer_that_nobody_with_the_key_has_given(refused, answer):
    with socket.socket() as liar:
        liar.bind(("127.0.0.1", 0))
        liar.listen()
        threading.Thread(target=answer_once, args=(liar, answer), daemon=True).start()
        assert re.search("answer that cannot be trusted|something else", refused(Place(liar), RECORD))


def answer_once(listener, answer):
    connection, _address = listener.accept()
    with connection:
        wire = answer(connection.recv(65535)[2:])
        connection.sendall(len(wire).to_bytes(2, "big") + wire)


class Place:
    """Where a socket listens."""

    def __init__(self, sock):
        self.address, self.port = sock.getsockname()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"values": ["203.0.113.256"]}, "records[0]: '203.0.113.256' is no A record"),
        ({"ttl": -1}, "records[0]: the TTL -1 is not between 0 and 2147483647"),
        ({"ttl": 2**31}, "records[0]: the TTL 2147483648 is not"),
        ({"type": "NOSUCH"}, "records[0]: 'NOSUCH' is no record type"),
        ({"type": "SOA"}, "records[0]: records of type SOA are the server's own"),
        ({"type": "ANY"}, "records[0]: records of type ANY are the server's own"),
        ({"name": "a..b"}, "records[0]: 'a..b' is no domain name"),
        ({"values": []}, "records[0]: linkupnetworks.example.net. A has no values"),
        (
            {"type": "NS", "name": "example.net", "zone": "example.net", "values": ["a."]},
            "records[0]: the NS records",
        ),
        ({"type": "CNAME", "values": ["a.", "b."]}, "records[0]: a CNAME has one value"),
    ],
)
def test_records_that_cannot_be(refused, record, message):
    """Found before any packet is sent: nothing listens there."""
    assert message in refused(NOBODY, {**RECORD, **record})


def test_all_mistakes_in_one_message(refused):
    message = refused(NOBODY, {**RECORD, "ttl": -1}, RECORD, RECORD, {**RECORD, "name": "a..b"})
    assert [f"records[{i}]" in message for i in range(4)] == [True, False, True, True]
    assert "is given twice" in message


def test_a_secret_that_is_not_base64(refused):
    assert "The secret of the TSIG key link is not base64" in refused(NOBODY, RECORD, key_secret="no base64!")


def test_what_was_done_before_a_failure_is_told(server, publish):
    allowed = {"name": "1.aero.test", "type": "PTR", "values": ["example.net."]}
    result = publish(server, allowed, {**RECORD, "name": "www.example.net"}, fails=True)
    assert result["changed"] is True
    assert [change["name"] for change in result["changes"]] == ["1.aero.test."]


def test_in_check_mode_a_server_that_is_not_there_yet_has_nothing(publish, monkeypatch):
    result = publish(NOBODY, RECORD, {"name": NAME, "type": "AAAA", "state": "absent"}, check=True)
    assert [change["type"] for change in result["changes"]] == ["A"]
    assert result["changed"] is True
    assert "cannot be reached" in str(result["warnings"])
    monkeypatch.setattr(dns_rrsets, "DNSPYTHON_ERROR", "Traceback: no dnspython")
    assert publish(NOBODY, RECORD, check=True)["changed"] is True


def test_dnspython_is_missing(refused, monkeypatch):
    monkeypatch.setattr(dns_rrsets, "DNSPYTHON_ERROR", "Traceback: no dnspython")

    assert "Failed to import the required Python library (dnspython)" in refused(NOBODY, RECORD)
