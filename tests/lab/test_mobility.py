# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients send straight to each other, and move under running connections."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.lab.door import aeroctl, in_namespace, on_node, wait_for

H2 = "2001:db8:1:2:ae:ff:fe06:2"
SIZE = 40_000_000

# A slow TCP transfer of SIZE bytes, whose receiver prints how much came whole.
SERVER = """
import socket, sys
with socket.create_server(("::", 5002), family=socket.AF_INET6) as listener:
    print("ready", flush=True)
    connection, _peer = listener.accept()
    got = 0
    while data := connection.recv(1 << 16):
        got += len(data)
    print(got, flush=True)
"""
CLIENT = """
import socket, sys, time
with socket.create_connection((sys.argv[1], 5002), 10) as connection:
    connection.settimeout(60)
    for _number in range(int(sys.argv[2]) // 20000):
        connection.sendall(bytes(20000))
        time.sleep(0.02)
"""


def redirect(node: str, destination: str) -> dict:
    found = [course for course in aeroctl(node, "redirects") if course["destination"] == destination]
    return found[0] if found else {"direct": False}


def test_packets_go_straight_after_the_first_ones():
    """Seen on the underlay of s1 and s2: nothing of a direct flow passes there."""
    on_node("h1", f"ping -c2 -i0.2 {H2}")
    wait_for(
        lambda: on_node("h1", f"ping -c1 -W1 {H2}") and redirect("c1", "2001:db8:1:2::/64")["direct"],
        "c1 direct (after three questions in vain it rests for 30 s)",
        45,
    )
    wait_for(
        lambda: on_node("h1", f"ping -c1 -W1 {H2}") and redirect("c2", "2001:db8:1000:2000::/56")["direct"],
        "c2 direct",
        45,
    )
    before = [aeroctl(server, "counters").get("received", 0) for server in ("s1", "s2")]
    on_node("h1", f"ping -c200 -i0.01 -q {H2}")
    after = [aeroctl(server, "counters").get("received", 0) for server in ("s1", "s2")]
    assert sum(after) - sum(before) < 100, "200 requests and 200 answers went past the Servers"


def test_a_tcp_connection_survives_moves_between_access_links_and_to_another_server():
    """c2 goes from link to link ten times, the other one being up before, and changes its Server once."""
    addresses = {
        link: json.loads(on_node("c2", f"ip -j -4 addr show dev {link}"))[0]["addr_info"][0]
        for link in ("eth0", "eth1")
    }
    server = subprocess.Popen(
        in_namespace("h2", sys.executable, "-c", SERVER), stdout=subprocess.PIPE, text=True
    )
    assert server.stdout.readline().strip() == "ready"
    client = subprocess.Popen(in_namespace("h1", sys.executable, "-c", CLIENT, H2, str(SIZE)))
    try:
        for number in range(10):
            link, other = ("eth0", "eth1") if number % 2 == 0 else ("eth1", "eth0")
            on_node("c2", f"ip link set {other} up")
            wait_for(
                lambda other=other: (
                    str(addresses[other]["local"]) in on_node("c2", f"ip -4 addr show dev {other}")
                ),
                f"c2 has an address on {other}",
            )
            on_node("c2", f"ip link set {link} down")
        on_node("c2", "ip link set eth0 up; ip link set eth1 up")
        on_node("c2", "aeroctl move", check=False)
        assert client.wait(180) == 0
        assert int(server.stdout.readline()) == SIZE
    finally:
        client.kill()
        server.kill()
        # A link that went down has lost its routes, which only its DHCP client gives back.
        on_node("c2", "ip link set eth0 up; ip link set eth1 up; systemctl restart lab-dhcp@eth0 lab-dhcp@eth1")
        wait_for(lambda: on_node("c2", "ip -4 route show default").count("default") == 2, "c2 has both default routes")
