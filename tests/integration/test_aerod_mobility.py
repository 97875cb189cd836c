# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP outlives changes of address, link and Server; root only, in network namespaces.

A second Server s2 with a Kea of its own, and a second access link of the Client; BGP is played by
a thread that gives the Relay the ACP route of the first Server whose kernel has it.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time

import pytest

from tests.integration.aerod_link import ACP4, ACP6, LINE, OUTSIDE6, OWN6, Link, missing, wait_for
from tests.kea import OwnKea, bring

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

S1, S2 = "203.0.113.11", "203.0.113.12"
_SECONDS, _RATE = 40, 200  # of the transfer, and its writes in a second

_RECEIVER = """
import socket, time
listener = socket.create_server(("::", 9000), family=socket.AF_INET6)
connection, _peer = listener.accept()
received, last, longest = 0, None, 0.0
while data := connection.recv(65536):
    now = time.monotonic()
    longest = max(longest, now - (last or now))
    received, last = received + len(data), now
print(received, round(longest, 3))
"""
_SENDER = f"""
import socket, time
connection = socket.create_connection(("{OWN6}", 9000), 10, ("{OUTSIDE6}", 0))
connection.settimeout(60)
end = time.monotonic() + {_SECONDS}
while time.monotonic() < end:
    connection.sendall(bytes(1000))
    time.sleep(1 / {_RATE})
connection.close()
"""


_NEIGHBOR = '[[neighbor]]\nname = "{}"\nid = {}\naddresses = ["{}", "{}"]\n'


class TwoServers(Link):
    """The link of the other tests with a second Server, and a second access link of the Client."""

    addresses = Link.addresses | {"s2": (S2, "fd00:ae::c")}
    tables = Link.tables | {
        "r": ("relay", "id = 1\n" + _NEIGHBOR.format("s", 11, S1, "fd00:ae::b") + _NEIGHBOR.format("s2", 12, S2, "fd00:ae::c")),
        "s2": ("server", "id = 12\n[server]\n" + _NEIGHBOR.format("r", 1, "203.0.113.1", "fd00:ae::1")
               + f'[[other_server]]\nname = "s"\nid = 11\naddresses = ["{S1}"]\n'),
        "c": ("client", Link.tables["c"][1] + f'server_count = 1\nserver_addresses = ["{S1}", "{S2}"]\n'
              '[[underlay]]\ninterface = "eth2"\nlink_id = 1\npreference = 200\n'),
    }  # fmt: skip

    def write_config(self, node: str) -> None:
        super().write_config(node, server_addresses="")

    def build(self) -> None:
        super().build()
        self.attach("c", "eth2", "vc2")
        self.run("s2", "ip", "-6", "route", "add", "::/0", "via", "fe80::1", "dev", "aero0", "table", "8060", "proto", "bird")
        self._routes = threading.Thread(target=self._announce, daemon=True)
        self._running = True
        self._routes.start()

    def destroy(self) -> None:
        if getattr(self, "_running", False):
            self._running = False
            self._routes.join()
        super().destroy()

    def _announce(self) -> None:
        """What BGP does."""
        while self._running:
            for acp, version in ((ACP6, "-6"), (ACP4, "-4")):
                with contextlib.suppress(AssertionError, json.JSONDecodeError):
                    self._follow(acp, version)
            time.sleep(0.1)

    def _follow(self, acp: str, version: str) -> None:
        for server, via in (("s", "fe80::b"), ("s2", "fe80::c")):
            if self.show(server, version, "route", "show", acp, "dev", "aero0", "proto", "128"):
                self.run("r", "ip", version, "route", "replace", acp, "via", "inet6", via, "dev", "aero0", "proto", "bird")
                return

    def start_second_kea(self) -> None:
        """Start Kea of s2."""
        kea = OwnKea(self.directory / "s2")
        kea.configure(aero_id=12)
        bring(kea, [LINE])
        self.spawn("kea2", "s2", *kea.command)


@pytest.fixture
def link():
    made = TwoServers()
    try:
        made.build()
        for node in ("r", "s", "s2", "c"):
            made.start(node)
        made.start_kea()
        made.start_second_kea()
        wait_for(made.has_lease)
        wait_for(lambda: made.pings("r", OWN6))
        yield made
    finally:
        made.destroy()


def python(made: Link, node: str, program: str) -> subprocess.Popen:
    return subprocess.Popen([*made.within(node), "python3", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def addresses(made: Link, interface: str, *ones: str) -> None:
    """Give a link of the Client these addresses and no others."""
    made.run("c", "ip", "addr", "flush", "dev", interface, "scope", "global")
    for one in ones:
        made.run("c", "ip", "addr", "add", f"{one}/24", "dev", interface)


def test_a_transfer_survives_moves(link) -> None:
    """Ten changes of address, two of the access link, one of the Server; no byte is lost, no stall is long."""
    receiver = python(link, "c", _RECEIVER)
    time.sleep(0.5)
    sender = python(link, "r", _SENDER)
    time.sleep(1)
    for number in range(10):
        addresses(link, "eth0", f"203.0.113.{110 + number}")
        wait_for(lambda n=number: f"203.0.113.{110 + n}" in str(link.ask("s", "leases")), 3)
        time.sleep(0.7)
    # Another access link, then back: make before break.
    addresses(link, "eth2", "203.0.113.130")
    wait_for(lambda: "203.0.113.130" in str(link.ask("s", "neighbors", kind="static")), 3)
    link.run("c", "ip", "addr", "change", "203.0.113.119/24", "dev", "eth0", "preferred_lft", "0")
    wait_for(lambda: "203.0.113.130" in str(link.ask("s", "leases")), 3)
    addresses(link, "eth0")
    time.sleep(1)
    addresses(link, "eth0", "203.0.113.101")
    time.sleep(1)
    assert link.ask("c", "move")["to"] == f"{S2}:8060"
    wait_for(lambda: link.ask("c", "status")["primary"] == "fe80::c", 5)
    wait_for(lambda: not link.ask("s", "leases"), 10)
    assert [lease["state"] for lease in link.ask("c", "leases")] == ["bound"]
    output, _errors = receiver.communicate(timeout=_SECONDS + 30)
    assert sender.wait(10) == 0, sender.stderr.read()
    received, longest = output.split()
    print(f"received {received} bytes, longest stall {longest} s")
    assert int(received) % 1000 == 0 and int(received) > 0.6 * 1000 * _RATE * _SECONDS
    # A lost segment costs TCP's retransmission time, 0.2 s at least, twice that when it is lost again.
    assert float(longest) < 1.5
    for node in ("r", "s", "s2", "c"):
        assert not link.ask(node, "counters").keys() & {"internal_error", "kernel_refused"}
    assert re.search(r"leaving Server 203\.0\.113\.11:8060 through", link.log("c"))


def test_a_server_taken_from_the_configuration_is_left(link) -> None:
    """What it announced of the Client is gone at once, not when the lease ends."""
    assert link.ask("s", "leases")
    link.kill("c", 15)
    file = link.directory / "c" / "aerod.toml"
    file.write_text(file.read_text().replace(f'["{S1}", "{S2}"]', f'["{S2}"]'))
    link.start("c")
    wait_for(lambda: not link.ask("s", "leases"), 10)
    assert [lease["server_address"] for lease in link.ask("c", "leases")] == [S2]
    assert wait_for(lambda: link.pings("r", OWN6), 5)


def test_an_access_link_that_is_up_and_carries_nothing(link) -> None:
    """The other one serves within seconds, and the better one again when it carries."""
    addresses(link, "eth2", "203.0.113.130")
    wait_for(lambda: "203.0.113.130" in str(link.ask("s", "neighbors", kind="static")), 3)
    link.ip("core", "link set vc nomaster")
    wait_for(lambda: link.pings("c", OUTSIDE6), 15)
    assert [lease["link"] for lease in link.ask("s", "leases")] == ["203.0.113.130"]
    link.ip("core", "link set vc master br0")
    wait_for(lambda: [lease["link"] for lease in link.ask("s", "leases")] == ["203.0.113.101"], 40)
    assert link.pings("c", OUTSIDE6)
