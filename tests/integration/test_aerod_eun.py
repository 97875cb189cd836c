# SPDX-License-Identifier: GPL-3.0-or-later
"""The end user network follows the lease: aero-eun with real radvd, dnsmasq, Kea and a host."""

from __future__ import annotations

import json

import pytest

from tests.integration.aerod_link import ACP6, OUTSIDE4, OUTSIDE6, OWN4, OWN6, Link, missing, wait_for

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

# A DHCPv4 client of one exchange: prints the address offered, or nothing.
_DISCOVER = """
import os, socket, struct
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
s.bind(("0.0.0.0", 68))
s.settimeout(3)
fixed = struct.pack("!BBBB4sHH4s4s4s4s16s192s", 1, 1, 6, 0, os.urandom(4), 0, 0x8000,
                    *[bytes(4)] * 4, mac, bytes(192))
s.sendto(fixed + bytes.fromhex("63825363350101ff"), ("255.255.255.255", 67))
try:
    print(socket.inet_ntoa(s.recv(1500)[16:20]))
except TimeoutError:
    print("")
"""


@pytest.fixture
def link():
    """A link whose aero-eun is up before anything else is."""
    made = Link()
    try:
        made.build()
        made.write_config("c", 'eun_interface = "eth1"')
        made.prepare("c")
        made.start_eun()
        made.start_kea()
        for node in ("r", "s", "c"):
            made.start(node)
        wait_for(made.has_lease)
        yield made
    finally:
        made.destroy()


def _host_address(link):
    """The host's global IPv6 address, with its flags, if it has one."""
    found = [a for a in link.show("h", "-6", "addr", "show", "dev", "eth0", "scope", "global") if a]
    addresses = [info for interface in found for info in interface.get("addr_info", [])]
    return next((a for a in addresses if not a.get("tentative")), None)


def _offered(link) -> str:
    return link.run("h", "/usr/bin/python3", "-c", _DISCOVER).strip()


def _default_source(link, version):
    (default,) = link.show("c", version, "route", "show", "table", "8060")
    return default.get("prefsrc")


def test_eun_follows_the_lease(link):
    """Hosts get addresses by SLAAC and DHCPv4, reach the outside, and are told of the loss at once."""
    address = wait_for(lambda: _host_address(link))
    assert address["local"].startswith("2001:db8:1:2:")
    assert wait_for(lambda: link.pings("h", OUTSIDE6, 1400), 10)
    wait_for(lambda: _default_source(link, "-6") == OWN6)
    wait_for(lambda: _default_source(link, "-4") == OWN4)

    offered = wait_for(lambda: _offered(link))
    link.run("h", "ip", "addr", "add", f"{offered}/28", "dev", "eth0")
    link.run("h", "ip", "route", "add", "default", "via", OWN4)
    assert wait_for(lambda: link.pings("h", OUTSIDE4, 1400), 5)
    assert wait_for(lambda: link.pings("r", offered, 1400), 5)

    link.ask("c", "release")
    wait_for(lambda: _host_address(link)["preferred_life_time"] == 0, 10)
    assert _host_address(link)["deprecated"]
    wait_for(lambda: "default" not in link.run("h", "ip", "-6", "route"), 5)
    assert _offered(link) == ""
    gone = link.run("c", "ip", "addr") + link.run("c", "ip", "-6", "route") + link.run("c", "ip", "route")
    assert OWN4 not in gone and "2001:db8:1:2" not in gone


def test_only_the_tunnel_is_for_the_eun(link):
    """What the Client itself reaches is not for hosts behind it, unless the site adds a rule of its own."""
    settings = ("ipv6/conf/eth0/accept_ra", "ipv6/conf/all/forwarding", "ipv4/ip_forward")
    assert link.run("c", "cat", *(f"/proc/sys/net/{name}" for name in settings)).split() == ["2", "1", "1"]
    link.run("c", "ip", "addr", "add", "10.1.0.1/24", "dev", "eth1")
    link.run("h", "ip", "addr", "add", "10.1.0.2/24", "dev", "eth0")
    link.run("h", "ip", "route", "add", "203.0.113.0/24", "via", "10.1.0.1")
    rules = "table ip site { chain out { type nat hook postrouting priority 100; oifname eth0 masquerade; }; }"
    link.run("c", "nft", rules)
    wait_for(lambda: "8063" in link.run("c", "ip", "rule"))
    assert link.pings("c", "203.0.113.1") and not link.pings("h", "203.0.113.1")
    link.run("c", "ip", "rule", "add", "priority", "8000", "iif", "eth1", "from", "10.1.0.0/24", "lookup", "main")
    assert link.pings("h", "203.0.113.1")
    wait_for(lambda: _host_address(link))
    assert wait_for(lambda: link.pings("h", OUTSIDE6), 10)


def test_eun_survives_restarts(link):
    """Neither a restart of aerod nor one of aero-eun nor the death of radvd is seen by the host."""
    wait_for(lambda: _host_address(link))
    link.kill("c")
    link.start("c")
    wait_for(link.has_lease, 10)
    assert wait_for(lambda: link.pings("h", OUTSIDE6), 5)
    assert not _host_address(link).get("deprecated")

    link.run("c", "sh", "-c", "kill $(cat %s)" % (link.directory / "h" / "radvd.pid"))
    wait_for(lambda: link.log("eun").count("started") >= 3, 10)

    link.kill("eun", 15)
    assert link.run("c", "ip", "addr").count(OWN6) == 1, "the address has the lifetime of the lease"
    link.start_eun()
    wait_for(lambda: "default" in link.run("h", "ip", "-6", "route"), 15)
    assert not _host_address(link).get("deprecated")
    assert link.pings("h", OUTSIDE6)


def test_lost_while_nobody_looked(link):
    """A prefix that was lost while aero-eun did not run is deprecated when it starts."""
    wait_for(lambda: _host_address(link))
    link.kill("eun", 9)
    link.run("c", "sh", "-c", "kill -9 $(cat %s)" % (link.directory / "h" / "radvd.pid"))
    link.ask("c", "release")
    assert OWN6 in link.run("c", "ip", "addr")
    link.start_eun()
    wait_for(lambda: _host_address(link)["preferred_life_time"] == 0, 15)
    assert OWN6 not in link.run("c", "ip", "addr")
    assert ACP6.split("/", maxsplit=1)[0] in json.dumps(link.show("h", "-6", "route"))
