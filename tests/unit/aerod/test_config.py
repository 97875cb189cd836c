# SPDX-License-Identifier: GPL-3.0-or-later
"""aerod.toml: what is taken, and that each mistake is named with what is allowed."""

from __future__ import annotations

import pytest

from aerod.address import LinkLayerAddress, Prefix
from aerod.config import ConfigError, load, parse

SERVER = """
[node]
name = "s1"
role = "server"
id = 11
interface = "aero0"
[link]
domain = "example.net"
asps = ["2001:db8::/32", "198.51.100.0/24"]
port = 8060
vendor_options = "rfc8415"
[[underlay]]
interface = "eth0"
link_id = 0
preference = 255
addresses = ["203.0.113.11", "fd00:ae::b"]
[[neighbor]]
name = "r1"
id = 1
addresses = ["203.0.113.1", "fd00:ae::1"]
[server]
release_grace = 5.0
"""

CLIENT = """
[node]
name = "c1"
role = "client"
[link]
domain = "example.net"
asps = ["2001:db8::/32"]
[[underlay]]
interface = "eth0"
link_id = 0
addresses = []
[client]
duid = "0002:0000:0009:c0ff:ee01"
prefixes = 2
eun_interface = "eth1"
"""

NEIGHBOR = '[[neighbor]]\nname = "r1"\nid = 1\naddresses = ["203.0.113.1"]\n'


def errors_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(text, "aerod.toml")
    return raised.value.errors


def test_server():
    """All values arrive in their own types."""
    config = parse(SERVER, "aerod.toml")
    assert (config.node.role, config.node.id, config.node.interface) == ("server", 11, "aero0")
    assert config.link.asps == (Prefix.parse("2001:db8::/32"), Prefix.parse("198.51.100.0/24"))
    assert config.underlays[0].addresses[0] == LinkLayerAddress.parse("203.0.113.11", 8060)
    assert config.neighbors[0].name == "r1"
    assert config.server.release_grace == 5.0
    assert config.client is None


def test_client_defaults():
    """What may be left out has the documented value."""
    config = parse(CLIENT, "aerod.toml")
    assert config.node.id is None and config.node.interface == "aero0"
    assert config.link.port == 8060 and config.link.vendor_options == "rfc8415"
    assert config.underlays[0].preference == 255 and config.underlays[0].addresses == ()
    assert config.client.duid == bytes.fromhex("000200000009c0ffee01")
    client = config.client
    assert (client.server_count, client.server_addresses, client.eun_mtu) == (2, (), 1500)


@pytest.mark.parametrize(
    "line,replacement,named",
    [
        ("id = 11", "id = 0", "node.id = 0: must be a whole number from 1 to 4294967295"),
        ("id = 11", "id = 4294967296", "node.id = 4294967296"),
        ("id = 11", "id = true", "node.id = True"),
        ("id = 11", 'id = "fe80::2001:db8:1:2"', "node.id = 'fe80::2001:db8:1:2'"),
        ("id = 11", "", "node.id is missing"),
        ("id = 11", "id = 1", "neighbor.id: 1 (r1) is this node's own ID"),
        ('role = "server"', 'role = "proxy"', "node.role = 'proxy': must be one of relay, server, client"),
        ('name = "s1"', 'name = "s 1"', "node.name = 's 1'"),
        ('name = "s1"', 'name = "s1"\ncolour = "red"', "node.colour is not known here"),
        ('domain = "example.net"', 'domain = "exa mple"', "link.domain = 'exa mple'"),
        ('"2001:db8::/32"', '"2001:db8::1/32"', "link.asps = '2001:db8::1/32'"),
        ('"2001:db8::/32"', '"2001:db8::/65"', "link.asps = '2001:db8::/65'"),
        ('asps = ["2001:db8::/32", "198.51.100.0/24"]', "asps = []", "link.asps = []"),
        ("port = 8060", "port = 65536", "link.port = 65536"),
        (
            "port = 8060",
            'encapsulation = "raw"\nunderlay_multicast = true',
            "link.underlay_multicast = True: raw has no UDP port",
        ),
        ('"rfc8415"', '"draft53"', "link.vendor_options = 'draft53'"),
        ("link_id = 0", "link_id = 256", "underlay[0].link_id = 256"),
        ("preference = 255", "preference = -1", "underlay[0].preference = -1"),
        ('"203.0.113.11", "fd00:ae::b"', "", "underlay[0].addresses = []"),
        ('"203.0.113.11"', '"203.0.113.111.1"', "underlay[0].addresses = '203.0.113.111.1'"),
        ('"203.0.113.11"', '"224.0.0.1"', "underlay[0].addresses = '224.0.0.1'"),
        ('"203.0.113.11"', '"127.0.0.1"', "underlay[0].addresses = '127.0.0.1'"),
        ('"fd00:ae::b"', '"fe80::b"', "underlay[0].addresses = 'fe80::b'"),
        ('"fd00:ae::b"', '"::1"', "underlay[0].addresses = '::1'"),
        ('"fd00:ae::b"', '"203.0.113.11"', "underlay.addresses: '203.0.113.11' is used more than once"),
        ('interface = "eth0"', 'interface = "aero0"', "underlay.interface: 'aero0' is the AERO interface"),
        ("release_grace = 5.0", "release_grace = -1", "server.release_grace = -1"),
        ("[server]\nrelease_grace = 5.0", "", "[server] is missing"),
        ("[server]", "[client]\nprefixes = 1\n[server]", "client is not known in a file for a server"),
        ("[server]", "[proxy]\n[server]", "proxy is not known"),
        ("[server]", "[[server]]", "server must be a table"),
    ],
)
def test_mistakes_of_a_server(line, replacement, named):
    """Each mistake is one line that names file, key, value and what is allowed."""
    assert line in SERVER
    errors = errors_of(SERVER.replace(line, replacement, 1))
    assert any(error.startswith(f"aerod.toml: {named}") for error in errors), errors


@pytest.mark.parametrize(
    "line,replacement,named",
    [
        ('role = "client"', 'role = "client"\nid = 7', "node.id = 7: a Client has none"),
        ("0002:0000:0009:c0ff:ee01", "0002:zz", "client.duid = '0002:zz'"),
        ("0002:0000:0009:c0ff:ee01", "0002", "client.duid = '0002'"),
        ("0002:0000:0009:c0ff:ee01", "00" * 131, "client.duid = '0000"),
        ("prefixes = 2", "prefixes = 0", "client.prefixes = 0"),
        ("prefixes = 2", 'server_addresses = ["x"]\nprefixes = 2', "client.server_addresses = 'x'"),
        ("prefixes = 2", "eun_mtu = 1279\nprefixes = 2", "client.eun_mtu = 1279: must be a whole number"),
        ('"eth1"', '"eth0"', "client.eun_interface: 'eth0'"),
        ('"eth1"', '"an interface"', "client.eun_interface = 'an interface'"),
        ("[client]", f"{NEIGHBOR}[client]", "neighbor: a Client with client.acps has its Servers here"),
    ],
)
def test_mistakes_of_a_client(line, replacement, named):
    """As for a Server."""
    assert line in CLIENT
    errors = errors_of(CLIENT.replace(line, replacement, 1))
    assert any(error.startswith(f"aerod.toml: {named}") for error in errors), errors


def test_id_must_not_be_an_aero_address():
    """AERO-009: fe80::ID is no possible AERO address of the link's prefixes."""
    errors = errors_of(SERVER.replace("2001:db8::/32", "::/16"))
    assert "aerod.toml: node.id = 11: fe80::b is an AERO address of ::/16: choose another ID" in errors


def test_all_mistakes_at_once():
    """An operator does not have to mend one mistake to see the next."""
    text = SERVER.replace("id = 11", "id = 0").replace("port = 8060", "port = 0").replace('"r1"', '""')
    assert len(errors_of(text)) == 3


def test_unreadable(tmp_path):
    """A missing file and one that is no TOML are configuration errors too."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
    assert "not valid TOML" in errors_of("[node")[0]
