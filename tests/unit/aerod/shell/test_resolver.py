# SPDX-License-Identifier: GPL-3.0-or-later
"""The resolver against a name server on the loopback interface: several look-ups at once."""

from __future__ import annotations

import ipaddress
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from aerod.shell import resolver
from aerod.shell.loop import Loop

ANSWERS = {
    ("s.example.net.", "A"): ["203.0.113.11"],
    ("s.example.net.", "AAAA"): ["fd00::11"],
    ("yes.example.net.", "PTR"): ["example.com."],
}


class NameServer:
    """Answers what it knows, NXDOMAIN for ``no``, NODATA for ``empty``, nothing for ``silent``."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked: list[tuple[str, str]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                data, client = self.socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
            self.asked.append((name, kind))
            if name.startswith("silent"):
                continue
            answer = dns.message.make_response(query)
            for text in ANSWERS.get((name, kind), ()):
                answer.answer.append(dns.rrset.from_text(name, 100, "IN", kind, text))
            if name.startswith("no."):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.socket.sendto(answer.to_wire(), client)


@pytest.fixture
def server(monkeypatch):
    made = NameServer()
    loopback = [ipaddress.ip_address("127.0.0.1")]
    monkeypatch.setattr(resolver, "system_name_servers", lambda: loopback)
    monkeypatch.setattr(resolver, "_PORT", made.port)
    monkeypatch.setattr(resolver, "_TIMEOUT", 0.1)
    yield made
    made.socket.close()


def run(start, count: int) -> list:
    """Run a loop until ``count`` answers have come."""
    loop, answers = Loop(), []

    def answered(*answer) -> None:
        answers.append(answer)
        if len(answers) == count:
            loop.stop()

    start(resolver.Resolver(loop, 8060), answered)
    guard = loop.timer(loop.stop)
    guard.set(loop.now() + 10)
    loop.run()
    return answers


def test_look_ups_do_not_disturb_each_other(server) -> None:
    """Each gets its own answer, whichever comes first."""

    def start(asker, answered) -> None:
        asker.find("s.example.net", lambda: (), lambda found: answered("s", [a.text for a in found]))
        for name in ("yes", "no", "empty"):
            asker.find_pointer(f"{name}.example.net", lambda: (), lambda *a, name=name: answered(name, *a))

    answers = {name: rest for name, *rest in run(start, 4)}
    assert sorted(answers["s"][0]) == ["203.0.113.11", "fd00::11"]
    assert answers["yes"] == ["example.com", 100]
    assert answers["no"] == answers["empty"] == [None, 300.0]


def test_silence_is_no_answer(server) -> None:
    """Three tries, then neither yes nor no."""

    def start(asker, answered) -> None:
        asker.find_pointer("silent.example.net", lambda: (), answered)

    assert run(start, 1) == [(None, None)]
    assert server.asked == [("silent.example.net.", "PTR")] * 3
