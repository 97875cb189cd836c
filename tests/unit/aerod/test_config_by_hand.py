# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of Clients without DHCPv6."""

from __future__ import annotations

import pytest

from aerod.address import Prefix
from aerod.config import parse
from aerod.state.neighbors import Link
from tests.unit.aerod.harness import lla
from tests.unit.aerod.test_config import CLIENT, SERVER, errors_of

KNOWN = """
[[configured_client]]
name = "c1"
acps = ["2001:db8:1::/64"]
[[configured_client.link]]
link_id = 3
address = "203.0.113.101"
"""
BY_HAND = CLIENT.replace('duid = "0002:0000:0009:c0ff:ee01"\nprefixes = 2', 'acps = ["2001:db8:1::/64"]').replace(
    "[client]", '[[neighbor]]\nname = "s1"\nid = 11\naddresses = ["203.0.113.11"]\n[client]'
)


def test_a_server_knows_a_client():
    (client,) = parse(SERVER + KNOWN, "aerod.toml").server.configured
    assert client.name == "c1" and client.acps == (Prefix.parse("2001:db8:1::/64"),)
    assert client.links == (Link(3, 255, lla("203.0.113.101")),)


def test_a_client_knows_its_server():
    config = parse(BY_HAND, "aerod.toml")
    assert config.client.acps == (Prefix.parse("2001:db8:1::/64"),)
    assert config.client.duid == b"" and config.client.prefixes == 0
    assert [neighbor.id for neighbor in config.neighbors] == [11]


@pytest.mark.parametrize(
    "text,named",
    [
        (SERVER + KNOWN.replace("2001:db8:1::/64", "2001:db9::/64"), "configured_client[0].acps = '2001:db9::/64'"),
        (SERVER + KNOWN.replace("2001:db8:1::/64", "2001:db8:1::/65"), "configured_client[0].acps"),
        (SERVER + KNOWN.replace("203.0.113.101", "fe80::1"), "configured_client[0].link[0].address = 'fe80::1'"),
        (SERVER + KNOWN.replace("link_id = 3", "link_id = 300"), "configured_client[0].link[0].link_id = 300"),
        (SERVER + KNOWN.replace("link_id = 3", "link_id = 3\nport = 1"), "configured_client[0].link[0].port is not"),
        (SERVER + KNOWN.split("[[configured_client.link]]", maxsplit=1)[0], "configured_client[0].link = []"),
        (SERVER + KNOWN + KNOWN, "configured_client.acps"),
        (CLIENT + KNOWN, "configured_client is not known in a file for a client"),
        (BY_HAND.replace("[client]", "[client]\nprefixes = 1"), "client.prefixes = 1: a Client with acps"),
        (BY_HAND.replace("[client]", '[client]\nduid = "000200"'), "client.duid = '000200': a Client with acps"),
        (BY_HAND.replace('acps = ["2001:db8:1::/64"]', 'duid = "000200"\nprefixes = 1'), "neighbor: a Client with"),
        (BY_HAND.replace("[[neighbor]]", "[unused]"), "neighbor: a Client with client.acps"),
        (BY_HAND.replace("[client]", "[client]\nsynthesized_ra = 1"), "client.synthesized_ra = 1"),
    ],
)
def test_mistakes(text, named):
    errors = errors_of(text)
    assert any(error.startswith(f"aerod.toml: {named}") for error in errors), errors
