# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea's leases, read page after page over a real UNIX socket from a Kea that is played."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading

import pytest

from aerod.address import Prefix
from aerod.shell import kea
from aerod.shell.kea import KeaLeases
from aerod.shell.loop import Loop

DUID = "00:02:00:00:b0:e2:00:01"


def row(address: str, length: int = 64, **changes) -> dict:
    return {"type": "IA_PD", "state": 0, "ip-address": address, "prefix-len": length, "duid": DUID} | changes


class PlayedKea:
    """Answers each command with what ``answer(command, arguments)`` returns, in a thread."""

    def __init__(self, path, answer) -> None:
        self.asked: list[tuple[str, dict]] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with connection:
                request = json.loads(connection.recv(65536))
                self.asked.append((request["command"], request["arguments"]))
                connection.sendall(self._answer(*self.asked[-1]))

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def play(tmp_path):
    """Starts a Kea and a reader of its leases; returns (Kea, reader, loop, what was found)."""
    played = []

    def start(answer):
        path = tmp_path / "kea.sock"
        played.append(PlayedKea(path, answer))
        loop, found = Loop(), []

        def done(leases, started):
            found.append(leases)
            loop.stop()

        guard = loop.timer(loop.stop)
        guard.set(loop.now() + 3)
        return played[-1], KeaLeases(loop, path, done), loop, found

    yield start
    for each in played:
        each.close()


def test_all_pages(play, monkeypatch) -> None:
    """Until one is not full; only leases that are assigned, as prefixes."""
    monkeypatch.setattr(kea, "_PAGE", 2)
    rows = [
        row("2001:db8::"), row("2001:db8:1::", state=2), row("2001:db8:2::", type="IA_NA"),
        row("::ffff:198.51.100.32", 124), row("2001:db8:3::", 56),
    ]  # fmt: skip

    def answer(_command, arguments):
        start = 0 if arguments["from"] == "start" else 1 + [r["ip-address"] for r in rows].index(arguments["from"])
        page = rows[start : start + arguments["limit"]]
        return json.dumps({"result": 0 if page else 3, "arguments": {"leases": page}}).encode()

    played, reader, loop, found = play(answer)
    reader.start()
    reader.start()
    loop.run()
    expected = ("2001:db8::/64", "198.51.100.32/28", "2001:db8:3::/56")
    assert found == [dict.fromkeys(map(Prefix.parse, expected), bytes.fromhex(DUID.replace(":", "")))]
    assert [arguments["from"] for _command, arguments in played.asked] == ["start", "2001:db8:1::", "::ffff:198.51.100.32"]


def test_no_leases_is_an_answer(play) -> None:
    """Kea says "empty" with a result of its own."""
    _played, reader, loop, found = play(lambda *_asked: b'{"result": 3, "text": "0 lease(s) found."}')
    reader.start()
    loop.run()
    assert found == [{}]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"result": 1}', b'{"result": 0}', b'{"result": 0, "arguments": {"leases": [{}]}}'])
def test_what_is_no_answer(play, text, caplog) -> None:
    """A Kea that refuses or talks nonsense has not said that there are no leases; the next look is a new one."""
    played, reader, loop, found = play(lambda *_asked: text)
    reader.start()
    again = loop.timer(reader.start)
    again.set(loop.now() + 0.2)
    end = loop.timer(loop.stop)
    end.set(loop.now() + 0.4)
    loop.run()
    assert found == [] and len(played.asked) == 2
    assert len(caplog.records) <= 1


def test_no_kea(tmp_path, caplog) -> None:
    """Told once."""
    loop = Loop()
    reader = KeaLeases(loop, tmp_path / "none", lambda *_found: pytest.fail("found"))
    reader.start()
    again = loop.timer(reader.start)
    again.set(loop.now() + 0.1)
    end = loop.timer(loop.stop)
    end.set(loop.now() + 0.3)
    loop.run()
    assert [record.message for record in caplog.records if "Kea cannot be asked" in record.message] == [caplog.records[0].message]


def test_end_of_a_lease(play) -> None:
    """By its address, IPv4 ones as DHCPv6 has them; one after the other."""
    played, reader, loop, _found = play(lambda *_asked: b'{"result": 0}')
    for text in ("2001:db8:1::/64", "198.51.100.32/28"):
        reader.end(Prefix.parse(text))
    end = loop.timer(loop.stop)
    end.set(loop.now() + 0.3)
    loop.run()
    addresses = [str(ipaddress.IPv6Address(arguments["ip-address"])) for _command, arguments in played.asked]
    assert addresses == ["2001:db8:1::", str(ipaddress.IPv6Address("::ffff:198.51.100.32"))]
