# SPDX-License-Identifier: GPL-3.0-or-later
"""Real echo requests between two network namespaces, and what the module makes of them."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from ansible_collections.aero.link.plugins.module_utils._ping import parse_ping, ping_command
from ansible_collections.aero.link.plugins.modules import probe

# Two test runs at the same time do not get in each other's way.
HERE, THERE = f"aeroproof-{os.getpid()}-here", f"aeroproof-{os.getpid()}-there"


def target(to, **values):
    """A target with the defaults of the module."""
    defaults = {name: option.get("default") for name, option in probe.OPTIONS.items()}
    return {**defaults, "to": to, "count": 2, "interval": 0.1, **values}


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def ping(tmp_path_factory):
    """A ping that sends from one of two namespaces with a veth of MTU 1500 between them."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces want root")
    for name in (HERE, THERE):
        run("ip", "netns", "add", name)
    run("ip", "link", "add", "eth0", "netns", HERE, "type", "veth", "peer", "name", "eth0", "netns", THERE)
    for number, name in enumerate((HERE, THERE), start=1):
        run("ip", "-n", name, "address", "add", f"198.18.7.{number}/24", "dev", "eth0")
        run("ip", "-n", name, "address", "add", f"3fff:7::{number}/64", "dev", "eth0", "nodad")
        run("ip", "-n", name, "link", "set", "dev", "eth0", "up")
    script = tmp_path_factory.mktemp("bin") / "ping"
    script.write_text(f'#!/bin/sh\nexec ip netns exec {HERE} ping "$@"\n')
    script.chmod(0o755)
    yield str(script)
    for name in (HERE, THERE):
        run("ip", "netns", "delete", name)


@pytest.mark.parametrize("to", ["198.18.7.2", "3fff:7::2"])
@pytest.mark.parametrize("size", [64, 1500])
def test_small_and_full_packets_are_answered(ping, to, size):
    """All packets come back in one attempt, with times."""
    result = probe.probe(target(to, size=size), ping, time.monotonic() + 10)
    assert (result["ok"], result["sent"], result["received"]) == (True, 2, 2)
    assert 0 < result["rtt_min"] <= result["rtt_avg"] <= result["rtt_max"]


@pytest.mark.parametrize("to", ["198.18.7.2", "3fff:7::2"])
def test_the_size_is_that_of_the_whole_packet(ping, to):
    """One byte more than the MTU does not pass in one piece, and does when it may be fragmented."""
    result = probe.probe(target(to, size=1501), ping, time.monotonic())
    assert not result["ok"]
    assert "too long" in result["error"]
    assert probe.probe(target(to, size=1501, dont_fragment=False), ping, time.monotonic())["ok"]


def test_a_source_address_is_kept(ping):
    """An address the node does not have cannot be a source."""
    assert probe.probe(target("3fff:7::2", **{"from": "3fff:7::1"}), ping, time.monotonic())["ok"]
    result = probe.probe(target("3fff:7::2", **{"from": "3fff:7::9"}), ping, time.monotonic())
    assert not result["ok"]
    assert "bind" in result["error"]


@pytest.mark.parametrize(("to", "route"), [("198.18.7.9", "no neighbor"), ("198.18.9.1", "no route")])
def test_silence_is_what_was_expected_or_a_loss(ping, to, route):
    """Nobody there: right for `unreachable`, wrong for `reachable`."""
    assert probe.probe(target(to, expect="unreachable"), ping, time.monotonic())["ok"], route
    result = probe.probe(target(to), ping, time.monotonic())
    assert not result["ok"]
    assert result["rtt_avg"] is None


def test_a_target_is_tried_until_it_answers(ping):
    """The way to it appears while the module is waiting."""
    run("ip", "-n", THERE, "address", "add", "3fff:8::1/128", "dev", "eth0", "nodad")
    late = subprocess.Popen(["sh", "-c", f"sleep 1; ip -n {HERE} route add 3fff:8::/64 via 3fff:7::2"])
    result = probe.probe(target("3fff:8::1"), ping, time.monotonic() + 15)
    late.wait()
    assert result["ok"]
    assert result["attempts"] > 1


def test_the_line_about_a_loss():
    """It names destination, source, size, and what ping complained of."""
    result = {**target("::1", size=64), "from": "::2", "sent": 2, "received": 1, "error": "bad"}
    line = "::1 from ::2, 64 bytes: expected reachable, 1 of 2 packets answered (bad)"
    assert probe.complaint(result) == line


def test_sizes_that_cannot_be():
    """An IPv6 echo request has at least 48 bytes, an IPv4 one 28; each error says what is allowed."""
    targets = [target("::1", size=47), target("127.0.0.1", size=28), target("127.0.0.1", count=0)]
    assert list(probe.unusable(targets)) == [
        "targets[0].size = 47; allowed: 48 to 65535 bytes",
        "targets[2].count = 0; allowed: 1 or more",
    ]


def test_command_line_and_output():
    """The payload is the size less the headers; duplicates and errors in the summary do not matter."""
    command = ping_command(target("fe80::1%aero0", size=1280))
    assert command[command.index("-s") + 1] == "1232"
    assert command[-1] == "fe80::1%aero0"
    assert ping_command(target("example.net", family="ipv4", size=64))[1] == "-4"
    output = (
        "From 198.18.7.1 icmp_seq=1 Destination Host Unreachable\n\n--- 198.18.7.9 ping statistics ---\n"
        "3 packets transmitted, 2 received, +1 duplicates, +1 errors, 33% packet loss\n"
    )
    parsed = parse_ping(output)
    assert (parsed["sent"], parsed["received"], parsed["rtt_avg"]) == (3, 2, None)
    assert parsed["error"] == "198.18.7.1 icmp_seq=1 Destination Host Unreachable"
    assert parse_ping(output, "/usr/bin/ping: sendmsg: Bad\n")["error"] == "sendmsg: Bad"
