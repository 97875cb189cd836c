# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket and aeroctl, joined over a real UNIX socket in one process."""

from __future__ import annotations

import io
import json
import stat
import threading

import pytest

from aerod import aeroctl
from aerod.shell.control import CommandError, Control
from aerod.shell.loop import Loop


def _refuse():
    raise CommandError("not now")


class Daemon:
    """A loop with a control socket in a thread."""

    def __init__(self, path) -> None:
        self.path = path
        self.loop = Loop()
        self.event = {"event": "leases", "prefixes": []}
        commands = {
            "counters": lambda: {"received": 7},
            "add": lambda a, b=1: a + b,
            "refuse": _refuse,
            "recall": lambda prefixes: {"prefixes": len(prefixes), "clients": 1},
            "large": lambda: "x" * 3_000_000,
        }
        self.control = Control(self.loop, path, commands, lambda: self.event)
        self._publish = self.loop.timer(lambda: self.control.publish(self.event))
        self._stop = self.loop.timer(self.loop.stop)
        self._tick()
        self._thread = threading.Thread(target=self.loop.run)
        self._thread.start()

    def _tick(self) -> None:
        """Wake the loop often, since timers are set from another thread here."""
        timer = self.loop.timer(lambda: timer.set(self.loop.now() + 0.01))
        timer.set(self.loop.now())

    def publish(self) -> None:
        self._publish.set(0.0)

    def end(self) -> None:
        self._stop.set(0.0)
        self._thread.join()


@pytest.fixture
def daemon(tmp_path):
    made = Daemon(tmp_path / "aerod.sock")
    yield made
    made.end()


@pytest.fixture
def lines(daemon):
    """A connection, as a file of lines."""
    with aeroctl.connect(daemon.path) as connection:
        yield connection.makefile("rw", buffering=1)


def ask(lines, text):
    lines.write(text + "\n")
    lines.flush()
    return json.loads(lines.readline())


def test_answers(lines):
    """Arguments are keywords; several requests may follow each other on one connection."""
    assert ask(lines, '{"command": "add", "a": 2, "b": 3}') == {"ok": True, "result": 5}
    assert ask(lines, '{"command": "add", "a": 2}') == {"ok": True, "result": 3}


@pytest.mark.parametrize(
    "request_text,error",
    [
        ("{", "Expecting"),
        ("[]", "a request is"),
        ('{"command": 3}', "a request is"),
        ('{"command": "dance"}', "unknown command 'dance', known are add, counters, large, recall, refuse, watch"),
        ('{"command": "add", "c": 1}', "unexpected keyword"),
        ('{"command": "refuse"}', "not now"),
    ],
)
def test_errors(lines, request_text, error):
    """Nonsense is answered and the connection goes on."""
    answer = ask(lines, request_text)
    assert not answer["ok"] and error in answer["error"]
    assert ask(lines, '{"command": "counters"}')["ok"]


def test_large_answer(lines):
    """An answer larger than the socket's buffer arrives whole."""
    assert len(ask(lines, '{"command": "large"}')["result"]) == 3_000_000


def test_watch(daemon, lines):
    """A subscriber gets the state at once and after each change."""
    assert ask(lines, '{"command": "watch"}') == {"event": "leases", "prefixes": []}
    daemon.event = {"event": "leases", "prefixes": [1]}
    daemon.publish()
    assert json.loads(lines.readline())["prefixes"] == [1]


def test_endless_request_is_hung_up_on(lines):
    """A request without end does not fill the memory."""
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        lines.write("x" * 200_000)
        lines.flush()
        assert lines.readline() == ""
        raise BrokenPipeError


def test_group_may_ask(daemon):
    """Owner and group, nobody else."""
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o660


def test_aeroctl(daemon, capsys):
    """A table, or JSON."""
    assert aeroctl.main(["counters", "--socket", str(daemon.path)]) == 0
    assert capsys.readouterr().out == "COUNTER   VALUE\nreceived  7\n"
    assert aeroctl.main(["counters", "--json", "--socket", str(daemon.path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"received": 7}


def test_aeroctl_errors_say_what_to_do(daemon, tmp_path, capsys):
    """No daemon, and a daemon that refuses."""
    assert aeroctl.main(["status", "--socket", str(tmp_path / "none")]) == 1
    assert "systemctl status aerod" in capsys.readouterr().err
    assert aeroctl.main(["status", "--socket", str(daemon.path)]) == 1
    assert "unknown command 'status'" in capsys.readouterr().err


def test_aeroctl_recall(daemon, capsys, monkeypatch):
    """More prefixes on stdin than one request takes; none at all is nothing to do."""
    given = "".join(f"2001:db8:{number:x}::/64\n" for number in range(2500))
    for text, prefixes, clients in ((given, 2500, 3), ("", 0, 0)):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert aeroctl.main(["recall", "--json", "--socket", str(daemon.path)]) == 0
        assert json.loads(capsys.readouterr().out) == {"prefixes": prefixes, "clients": clients}
