# SPDX-License-Identifier: GPL-3.0-or-later
"""Each back end behind a real aerod, configured by the role's own templates: a Client gets both its prefixes.

Needs root, Kea, PostgreSQL and ISC dhcpd.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess

import pytest
from ansible_collections.aero.link.plugins.module_utils._acp_digest import canonical
from ansible_collections.aero.link.plugins.module_utils._back_end_isc import Isc

from tests.integration import aerod_link
from tests.integration.aerod_link import ACP4, ACP6, LINE, Link, wait_for
from tests.kea import bring
from tests.namespaces import inside
from tests.postgres import BackEnd, Server
from tests.role_templates import ROLE, render

LINES = [
    LINE,
    canonical("00020000b0e200000007", ["2001:db8:7::/48", "198.51.100.64/28"]),
]

pytestmark = pytest.mark.skipif(
    bool(aerod_link.missing()) or not shutil.which("dhcpd") or not shutil.which("psql"),
    reason="needs root, Kea, PostgreSQL and dhcpd",
)


@pytest.fixture
def link():
    link = Link()
    link.build()
    for node in "rc":
        link.start(node)
    yield link
    link.destroy()


@pytest.fixture
def database():
    server = Server()
    server.start()
    yield server
    server.destroy()


def has_both(link: Link) -> bool:
    leases = [lease for lease in link.ask("c", "leases") or [] if lease["state"] == "bound"]
    return any([entry["prefix"] for entry in lease["prefixes"]] == [ACP6, ACP4] for lease in leases)


def told_to_ask(link: Link) -> list[float]:
    """By each Server that granted something: how often to ask at least without a prefix."""
    state = json.loads((link.directory / "c" / "state.json").read_text())["state"]
    return [association["longest_wait"] for association in state["associations"]]


def test_kea_with_reservations(link):
    link.start("s")
    link.start_kea(LINES)
    wait_for(lambda: has_both(link))
    assert told_to_ask(link) == [120]


def test_kea_with_postgresql(link, database):
    """No password: Kea is who it is. Without the database it is silent, and answers when that is back."""
    back_end = BackEnd(database)
    back_end.prepare()
    bring(back_end, LINES)
    link.kea.configure("kea_postgresql", database=database.socket)
    link.start("s")
    link.spawn("dhcp", "s", *link.kea.command)
    wait_for(lambda: has_both(link))
    assert told_to_ask(link) == [120]

    # A change needs no word to Kea: the next message is answered by it.
    bring(back_end, LINES[1:])
    forget(link)
    wait_for(lambda: any(lease["status"] for lease in link.ask("c", "leases") or []))

    database.stop()
    forget(link)
    relayed = link.ask("s", "counters")["dhcpv6_relayed"]
    wait_for(lambda: link.ask("s", "counters")["dhcpv6_relayed"] > relayed + 1)
    assert not link.has_lease()
    assert all(not lease["status"] for lease in link.ask("c", "leases")), "silence is no refusal"
    database.start()
    bring(back_end, LINES)
    wait_for(lambda: has_both(link), 60)


def forget(link: Link) -> None:
    """Restart the Client without what it remembers."""
    link.kill("c")
    (link.directory / "c" / "state.json").unlink(missing_ok=True)
    link.start("c")
    wait_for(lambda: link.ask("c", "status"))


def start_isc(link: Link, lines: list[str]) -> None:
    """On a TAP device, since it takes no TUN."""
    files = link.directory / "s"
    config = files / "aerod.toml"
    config.write_text(config.read_text().replace("[server]\n", '[server]\ndhcp_interface = "aero-dhcp0"\n'))
    link.prepare("s")
    link.start("s")
    (files / "hosts").write_text(Isc().text(lines))
    text = render("dhcpd6.conf.j2", "isc").replace(Isc.path, f"{files}/hosts")
    (files / "dhcpd.conf").write_text(text.replace("/var/lib/dhcp", str(files)))
    (files / "dhcpd6.leases").touch()
    wait_for(lambda: link.ask("s", "status"))
    link.spawn("dhcp", "s", "dhcpd", "-6", "-f", "-q", "--no-pid", "-cf", f"{files}/dhcpd.conf", "aero-dhcp0")


def test_isc_dhcpd(link):
    """The two prefixes are told apart by their lengths."""
    start_isc(link, LINES)
    wait_for(lambda: has_both(link), 30)
    assert told_to_ask(link) == [120]


@pytest.mark.parametrize(("backend", "interface"), [("kea", "aero0"), ("isc", "aero-dhcp0")])
def test_who_is_refused_is_told_when_to_ask_again(link, backend, interface):
    """Or it would ask after an hour, and its line in the table be of no use until then."""
    if backend == "isc":
        start_isc(link, LINES[1:])
    else:
        link.start("s")
        link.start_kea(LINES[1:])
    wait_for(lambda: link.ask("s", "status"))
    with inside(link.prefix + "s"):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    with wire:
        wire.bind((interface, 0))
        wire.settimeout(0.1)
        option = bytes.fromhex("0052 0004 00000078")
        wait_for(lambda: option in received(wire), 30, "SOL_MAX_RT")
    wait_for(lambda: any(lease["status"] for lease in link.ask("c", "leases") or []))


def received(wire: socket.socket) -> bytes:
    """One packet, or nothing for a while."""
    try:
        return wire.recv(1 << 16)
    except TimeoutError:
        return b""


def test_dhcpd_refuses_what_it_should(tmp_path):
    (tmp_path / "hosts").write_text(Isc().text(LINES).replace("/48", "/129"))
    (tmp_path / "dhcpd.conf").write_text(render("dhcpd6.conf.j2", "isc").replace(Isc.path, str(tmp_path / "hosts")))
    command = ["sh", str(ROLE / "files" / "dhcpd-check"), str(tmp_path / "dhcpd.conf")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    (tmp_path / "hosts").write_text(Isc().text(LINES))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
