# SPDX-License-Identifier: GPL-3.0-or-later
"""One test for each mistake there can be in an inventory, with the line that is said about it."""
# Those lines stand here as they are printed.
# ruff: noqa: E501

from __future__ import annotations

import copy
import re

import pytest
from ansible_collections.aero.link.plugins.module_utils import _model
from ansible_collections.aero.link.plugins.module_utils._model_values import Failed, Rows
from ansible_collections.aero.link.tests.unit.plugins.module_utils.link_inventory import (
    BARE,
    DUID,
    GROUPS,
    LINK,
    SECRETS,
    link_hosts,
    refused,
    underlay,
)


@pytest.fixture
def hosts(tmp_path):
    return link_hosts(tmp_path)


# ------------------------------------------------------------------------------------ mistakes of one host

EXAMPLES = "(not shown): still the one of the example; allowed: your own, see Secrets in docs/operations.md"


@pytest.mark.parametrize(("host", "variable", "value", "line"), [
    ("s1", "aero_id", 1, "s1: aero_id = 1: already the ID of r1; allowed: each Relay and Server its own ID, set as "
     "aero_id or by another aero_id_base for the group"),
    ("s1", "aero_id_base", 0, "s1: aero_id = 1 (aero_id_base 0 + 1): already the ID of r1; allowed: each Relay and "
     "Server its own ID, set as aero_id or by another aero_id_base for the group"),
    ("s1", "aero_id_base", None, "s1: aero_id = (not set): missing; allowed: a number for this host, or aero_id_base on "
     "its group: the ID is then the base plus the number at the end of the host name"),
    ("s1", "aero_id_base", 4294967295, "s1: aero_id = 4294967296 (aero_id_base 4294967295 + 1): fe80::1:0:0 is the AERO "
     "address of the ACP 0:1::/64; allowed: 1 to 4294967295"),
    ("s1", "aero_id", 0, "s1: aero_id = 0: fe80:: is the link's subnet-router anycast address; allowed: 1 to 4294967295"),
    ("s1", "aero_id", 0x2001_0DB8_0001_0002, "s1: aero_id = 2306139568115613698: fe80::2001:db8:1:2 is the AERO address "
     "of the ACP 2001:db8:1:2::/64; allowed: 1 to 4294967295"),
    ("s1", "aero_id", 0xFFFF_C000_0220, "s1: aero_id = 281473902969376: fe80::ffff:c000:220 is the AERO address of the "
     "ACP 192.0.2.32/32; allowed: 1 to 4294967295"),
    ("s1", "aero_id", True, "s1: aero_id = true: not a whole number; allowed: 1 to 4294967295"),
    ("s1", "aero_id", "eleven", "s1: aero_id = eleven: not a whole number; allowed: 1 to 4294967295"),
    ("s1", "aero_id", 100_000_000, "s1: aero_bgp_asn = (not set): missing; allowed: 1 to 4294967294, to be set here, "
     "since 4200000000 + aero_id is more than that"),
    ("s1", "aero_bgp_asn", 0, "s1: aero_bgp_asn = 0: out of range; allowed: 1 to 4294967294"),
    ("s1", "aero_bgp_asn", 4294967295, "s1: aero_bgp_asn = 4294967295: out of range; allowed: 1 to 4294967294"),
    ("s1", "aero_bgp_asn", 23456, "s1: aero_bgp_asn = 23456: a reserved AS number; "
     "allowed: 1 to 4294967294 except 23456 and 65535"),
    ("s1", "aero_bgp_asn", 65535, "s1: aero_bgp_asn = 65535: a reserved AS number; "
     "allowed: 1 to 4294967294 except 23456 and 65535"),
    ("s1", "aero_bgp_asn", 64512, "s1: aero_bgp_asn = 64512: already the AS number of the Relays (aero_bgp_relay_asn); "
     "allowed: each Server its own, the Relays one together"),
    ("s2", "aero_bgp_asn", 4200000011, "s2: aero_bgp_asn = 4200000011: already the AS number of s1; "
     "allowed: each Server its own, the Relays one together"),
    ("s1", "aero_bgp_password", None, "s1: aero_bgp_password = (not set): missing; "
     'allowed: 1 to 80 printable ASCII characters, no space, no "'),
    ("s1", "aero_bgp_password", 'hidden-secret"', "s1: aero_bgp_password = (not shown): not a usable password; "
     'allowed: 1 to 80 printable ASCII characters, no space, no "'),
    ("s1", "aero_bgp_password", "hidden-secret", "s1: aero_bgp_password = (not shown): r1 has (not shown); "
     "allowed: one value for the whole link"),
    ("s1", "aero_bgp_password", 12345, "s1: aero_bgp_password = (not shown): not a text (does it need quotes?); "
     'allowed: 1 to 80 printable ASCII characters, no space, no "'),
    ("s1", "aero_bgp_password", "Change-me-soon", f"s1: aero_bgp_password = {EXAMPLES}"),
    ("s1", "aero_dns_tsig_secret", "Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWUtISE=", f"s1: aero_dns_tsig_secret = {EXAMPLES}"),
    ("s1", "aero_psk_secrets", [{"id": 1, "secret": b"change-me".hex() * 4}], f"s1: aero_psk_secrets[0].secret = {EXAMPLES}"),
    ("s1", "aero_signature_secrets", [{"id": 1, "secret": b"change-me".hex() * 4}],
     f"s1: aero_signature_secrets[0].secret = {EXAMPLES}"),
    ("s1", "aero_port", 8061, "s1: aero_port = 8061: c1 has 8060; allowed: one value for the whole link"),
    ("s1", "aero_dns_zone", "net", "s1: aero_dns_zone = net: an address or a single label, not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("s1", "aero_firewall", "maybe", "s1: aero_firewall = maybe: not a truth value; allowed: true or false"),
    ("s1", "aero_firewall", 1, "s1: aero_firewall = 1: not a truth value; allowed: true or false"),
    ("s1", "aero_bgp_pasword", "hidden-secret", "s1: aero_bgp_pasword = (not shown): unknown variable; "
     "did you mean aero_bgp_password? allowed: those that inventories/example explains"),
    ("s1", "aero_underlay", [], "s1: aero_underlay = (not shown): unknown variable; did you mean aero_underlays? "
     "allowed: those that inventories/example explains"),
    ("s1", "aero_port", Failed("'nope' is undefined; allowed: a value"),
     "s1: aero_port = (no value): 'nope' is undefined; allowed: a value"),
    # Underlays
    ("s1", "aero_underlays", None, "s1: aero_underlays = (not set): missing; "
     "allowed: a list of dictionaries with interface and addresses"),
    ("s1", "aero_underlays", [], "s1: aero_underlays = []: no underlay; allowed: one or more"),
    ("s1", "aero_underlays", "eth0", "s1: aero_underlays = eth0: not a list; "
     "allowed: a list of dictionaries with interface and addresses"),
    ("s1", "aero_underlays", ["eth0"], "s1: aero_underlays[0] = eth0: not a dictionary; "
     "allowed: the keys interface, addresses, link_id, preference"),
    ("s1", "aero_underlays", [{"interface": "eth0"}], "s1: aero_underlays[0].addresses = []: none, and others must know "
     "where this Server is; allowed: one address or more"),
    ("s1", "aero_underlays", [{"addresses": ["203.0.113.11"]}], "s1: aero_underlays[0].interface = (not set): missing; "
     "allowed: the name of a network interface, 15 characters at most"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", linkid=3)], "s1: aero_underlays[0].linkid = (not shown): unknown "
     "key; did you mean link_id? allowed: interface, addresses, link_id, preference"),
    ("s1", "aero_underlays", [underlay("203.0.113.11"), underlay("203.0.113.111")],
     "s1: aero_underlays[1].interface = eth0: already aero_underlays[0].interface; allowed: each interface once"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", link_id=1), underlay("203.0.113.111", interface="eth1")],
     "s1: aero_underlays[1].link_id = 1: already aero_underlays[0].link_id; allowed: each link id once"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", interface="aero0")], "s1: aero_underlays[0].interface = aero0: "
     "aero0 cannot be used here; allowed: the name of a network interface, 15 characters at most, not aero0 or lo"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", interface="lo")], "s1: aero_underlays[0].interface = lo: "
     "lo cannot be used here; allowed: the name of a network interface, 15 characters at most, not aero0 or lo"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", interface="enp123s0f1np1234")],
     "s1: aero_underlays[0].interface = enp123s0f1np1234: not an interface name; "
     "allowed: the name of a network interface, 15 characters at most"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", link_id=256)],
     "s1: aero_underlays[0].link_id = 256: out of range; allowed: 0 to 255"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", preference=0)],
     "s1: aero_underlays[0].preference = 0: out of range; allowed: 1 to 255"),
    ("s1", "aero_underlays", [underlay("203.0.113.300")],
     "s1: aero_underlays[0].addresses[0] = 203.0.113.300: not an IP address; allowed: an IPv4 or IPv6 address"),
    ("s1", "aero_underlays", [underlay("203.0.113.11/24")], "s1: aero_underlays[0].addresses[0] = 203.0.113.11/24: "
     "a prefix length does not belong here; allowed: an IPv4 or IPv6 address"),
    ("s1", "aero_underlays", [underlay("fe80::1")], "s1: aero_underlays[0].addresses[0] = fe80::1: lies in fe80::/10, "
     "which is link-local; allowed: a unicast address that other nodes reach"),
    ("s1", "aero_underlays", [underlay("127.0.0.1")], "s1: aero_underlays[0].addresses[0] = 127.0.0.1: lies in "
     "127.0.0.0/8, which is loopback; allowed: a unicast address that other nodes reach"),
    ("s2", "aero_underlays", [underlay("203.0.113.11")], "s2: aero_underlays[0].addresses[0] = 203.0.113.11: already "
     "aero_underlays[0].addresses[0] of s1; allowed: each address on one host"),
    ("s1", "aero_underlays", [underlay("203.0.113.11", "2001:db8:ffff::11")], "s1: aero_underlays[0].addresses[1] = 2001:db8:ffff::11: "
     "inside the ASP 2001:db8::/32, which is reached through the link itself; allowed: addresses outside every ASP"),
    # Outside peers
    ("r1", "aero_bgp_outside", [{"name": "x1", "address": "203.0.113.254"}], "r1: aero_bgp_outside[0].asn = (not set): "
     "missing; allowed: 1 to 4294967294"),
    ("r1", "aero_bgp_outside", [{"name": "x 1", "address": "203.0.113.254", "asn": 1}], "r1: aero_bgp_outside[0].name = "
     "x 1: not a usable name; allowed: a letter, then letters, digits and _"),
    ("r1", "aero_bgp_outside", [{"name": "x1", "address": "203.0.113.254", "asn": 64512}], "r1: "
     "aero_bgp_outside[0].asn = 64512: the Relays' own; allowed: the AS number of the other side"),
    ("r1", "aero_bgp_outside", [{"name": "x1", "address": "198.51.100.1", "asn": 1}], "r1: aero_bgp_outside[0].address = "
     "198.51.100.1: inside the ASP 198.51.100.0/24, which is reached through the link itself; "
     "allowed: addresses outside every ASP"),
    ("r1", "aero_bgp_outside", [{"name": "x1", "address": "203.0.113.254", "asn": 1},
                                {"name": "x2", "address": "203.0.113.254", "asn": 2}],
     "r1: aero_bgp_outside[1].address = 203.0.113.254: already in aero_bgp_outside[0]; allowed: each once"),
    ("r1", "aero_bgp_outside", [{"name": "x1", "address": "203.0.113.254", "asn": 1, "password": "hidden-secret "}],
     "r1: aero_bgp_outside[0].password = (not shown): not a usable password; "
     'allowed: 1 to 80 printable ASCII characters, no space, no "'),
    # Clients
    ("c1", "aero_client_id", None, "c1: aero_client_id = (not set): missing; "
     "allowed: the DUID in hexadecimal, in quotes"),
    ("c1", "aero_client_id", 20000000301, "c1: aero_client_id = 20000000301: not a text; "
     "allowed: the DUID in hexadecimal, in quotes"),
    ("c1", "aero_client_id", "52:54:00:12:34:56", "c1: aero_client_id = 52:54:00:12:34:56: begins with no DUID type from "
     "0001 to 0004 (a MAC address? then it is 00:03:00:01:52:54:00:12:34:56); allowed: a DUID in hexadecimal, with or "
     "without colons, such as 00:03:00:01:52:54:00:12:34:56"),
    ("c2", "aero_client_id", DUID["c1"], f"c2: aero_client_id = {BARE['c1']}: already the Client ID of c1; "
     "allowed: each Client its own"),
    ("c1", "aero_client_id", "00:03:00:01:52:54:00:00:10:99", "c1: aero_client_id = 00030001525400001099: not in the ACP "
     "table; allowed: a client_id of {folder}/group_vars/aero/acp_table.csv"),
    ("c1", "aero_eun_interface", "eth0", "c1: aero_eun_interface = eth0: already aero_underlays[0].interface; "
     "allowed: each interface once"),
    ("c1", "aero_eun_interface", "aero0", "c1: aero_eun_interface = aero0: aero0 cannot be used here; "
     "allowed: the name of a network interface, 15 characters at most, not aero0 or lo"),
    ("c1", "aero_eun_mtu", 1279, "c1: aero_eun_mtu = 1279: out of range; allowed: 1280 to 65479"),
    ("c1", "aero_client_servers", 0, "c1: aero_client_servers = 0: out of range; allowed: 1 to 16"),
    ("c1", "aero_client_server_addresses", ["2001:db8::1"], "c1: aero_client_server_addresses[0] = 2001:db8::1: inside "
     "the ASP 2001:db8::/32, which is reached through the link itself; allowed: addresses outside every ASP"),
    # Proof
    ("s1", "aero_verify_probes", [{"to_host": "c11"}], "s1: aero_verify_probes[0].to_host = c11: not in the inventory; "
     "did you mean c1? allowed: a host of the inventory"),
    ("s1", "aero_verify_probes", [{"to_host": "c1", "sizes": 1500}], "s1: aero_verify_probes[0].sizes = 1500: not a list; "
     "allowed: a list of sizes in bytes"),
    ("s1", "aero_verify_probes", [{"to_host": "c1", "sizes": [1500, 40]}], "s1: aero_verify_probes[0].sizes[1] = 40: "
     "out of range; allowed: 48 to 65535"),
    ("s1", "aero_verify_probes", [{"to_host": "c1", "expect": "reachible"}], "s1: aero_verify_probes[0].expect = "
     "reachible: unknown; did you mean reachable? allowed: reachable, unreachable"),
    ("s1", "aero_verify_probes", [{"to_host": "c1", "families": ["inet6"]}], "s1: aero_verify_probes[0].families[0] = "
     "inet6: unknown; allowed: ipv4, ipv6"),
    ("s1", "aero_verify_probes", [{"to_host": "c1", "within": ["3fff:1::1/48"]}], "s1: aero_verify_probes[0].within[0] = "
     "3fff:1::1/48: has bits set to the right of its length; allowed: 3fff:1::/48"),
    ("s1", "aero_verify_probes", [{"to_host": "c1", "size": 100}], "s1: aero_verify_probes[0].size = (not shown): unknown "
     "key; did you mean sizes? allowed: to, to_host, from, within, families, sizes, expect"),
    ("s1", "aero_verify_probes", [{"to": "example.net"}], "s1: aero_verify_probes[0].to = example.net: not an IP address; "
     "allowed: an IPv4 or IPv6 address"),
    ("s1", "aero_verify_probes", [{"to": "3fff:1::80", "to_host": "c1"}], "s1: aero_verify_probes[0] = to and to_host: "
     "no destination, or two; allowed: exactly one of the keys to and to_host"),
    ("s1", "aero_verify_probes", [{}], "s1: aero_verify_probes[0] = {}: no destination, or two; "
     "allowed: exactly one of the keys to and to_host"),
    ("s1", "aero_verify_no_routes_inside", "maybe", "s1: aero_verify_no_routes_inside = maybe: not a truth value; "
     "allowed: true or false"),
    # Names that begin like those that are there
    ("s1", "aero_verify_probes_list", [], "s1: aero_verify_probes_list = (not shown): unknown variable; "
     "did you mean aero_verify_probes? allowed: those that inventories/example explains"),
    ("s1", "aero_link_domain", "example.net", "s1: aero_link_domain = (not shown): unknown variable; "
     "did you mean aero_domain? allowed: those that inventories/example explains"),
    ("ns1", "aero_dns_backend", "bind9", "ns1: aero_dns_backend = bind9: unknown; did you mean bind? "
     "allowed: bind, knot"),
])
def test_mistake_of_one_host(hosts, tmp_path, host, variable, value, line):
    hosts[host][variable] = copy.deepcopy(value)
    errors = refused(hosts)
    assert errors == [line.replace("{folder}", str(tmp_path))]
    assert not any(secret in error for secret in SECRETS for error in errors)


def test_probe_of_a_host_outside_the_link(hosts):
    """Its other variables are its own; and what the whole link has wrong is still said once."""
    hosts["x1"] = {"aero_verify_probes": [{"to_host": "h1"}, {"to_host": "c1", "expect": "reachible"}], "aero_other": 1}
    for host in GROUPS["aero"]:
        hosts[host]["aero_port"] = 0
    assert refused(hosts, {**GROUPS, "all": [*hosts, "h1"]}) == [
        "all hosts: aero_port = 0: out of range; allowed: 1 to 65535",
        "x1: aero_verify_probes[1].expect = reachible: unknown; did you mean reachable? allowed: reachable, unreachable"]


# ---------------------------------------------------------------------------------------- mistakes of the link

@pytest.mark.parametrize(("variable", "value", "line"), [
    ("aero_domain", None, "aero_domain = (not set): missing; allowed: a domain of two labels or more, such as example.net"),
    ("aero_domain", "exa mple.net", "aero_domain = exa mple.net: not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_domain", "example..net", "aero_domain = example..net: not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_domain", "-x.net", "aero_domain = -x.net: not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_domain", "examplenet", "aero_domain = examplenet: an address or a single label, not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_domain", "203.0.113.1", "aero_domain = 203.0.113.1: an address or a single label, not a domain; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_domain", "zürich.example", "aero_domain = zürich.example: not ASCII; write it in its xn-- form; "
     "allowed: a domain of two labels or more, such as example.net"),
    ("aero_underlay_protected", None, "aero_underlay_protected = (not set): missing; allowed: true (only we can send on the "
     "underlay, or IPsec, WireGuard or the like guards it), or false"),
    ("aero_asps", [], "aero_asps = []: the link has no service prefix; allowed: one prefix or more"),
    ("aero_bgp_backend", "brid", "aero_bgp_backend = brid: unknown; did you mean bird? allowed: bird"),
    ("aero_bgp_backend", "frr", "aero_bgp_backend = frr: unknown; allowed: bird"),
    ("aero_dhcp_backend", "dnsmasq", "aero_dhcp_backend = dnsmasq: unknown; allowed: kea, kea_postgresql, isc"),
    ("aero_vendor_options", "draft", "aero_vendor_options = draft: unknown; did you mean draft52? "
     "allowed: rfc8415, draft52"),
    ("aero_port", 0, "aero_port = 0: out of range; allowed: 1 to 65535"),
    ("aero_port", True, "aero_port = true: not a whole number; allowed: 1 to 65535"),
    ("aero_port", 8060.5, "aero_port = 8060.5: not a whole number; allowed: 1 to 65535"),
    ("aero_bgp_relay_asn", "AS64512", "aero_bgp_relay_asn = AS64512: not a whole number; allowed: 1 to 4294967294"),
    ("aero_bgp_import_limit", 0, "aero_bgp_import_limit = 0: out of range; allowed: 1 to 4294967295"),
    ("aero_accept_time", 30, "aero_accept_time = 30: too short; allowed: more than aero_forward_time = 30"),
    ("aero_redirect_clients", "sometimes", "aero_redirect_clients = sometimes: unknown; "
     "allowed: never, unreachable, always"),
    ("aero_release_grace", "soon", "aero_release_grace = soon: not a time in seconds; allowed: 0 to 60"),
    ("aero_lease_renew", 2000, "aero_lease_renew = 2000: too long beside aero_lease_rebind = 2000; "
     "allowed: renew < rebind < preferred <= valid"),
    ("aero_lease_rebind", 3600, "aero_lease_rebind = 3600: too long beside aero_lease_preferred = 3600; "
     "allowed: renew < rebind < preferred <= valid"),
    ("aero_lease_preferred", 7201, "aero_lease_preferred = 7201: too long beside aero_lease_valid = 7200; "
     "allowed: renew < rebind < preferred <= valid"),
    ("aero_lease_valid", "2h", "aero_lease_valid = 2h: not a whole number; allowed: 1 to 4294967294"),
    ("aero_dns_update_server", "ns1.example.net", "aero_dns_update_server = ns1.example.net: not an IP address; "
     "allowed: an IPv4 or IPv6 address"),
    ("aero_dns_tsig_name", "", 'aero_dns_tsig_name = "": needed to publish names (aero_dns_update_server or a host in '
     "aero_name_servers); allowed: the name of the TSIG key"),
    ("aero_dns_tsig_name", "a key", "aero_dns_tsig_name = a key: not the name of a key; "
     "allowed: a name such as aero-update"),
    ("aero_dns_tsig_secret", None, 'aero_dns_tsig_secret = "": needed to publish names (aero_dns_update_server or a host '
     "in aero_name_servers); allowed: the secret in base64 of the TSIG key"),
    ("aero_dns_tsig_algorithm", "sha256", "aero_dns_tsig_algorithm = sha256: unknown; did you mean hmac-sha256? "
     "allowed: hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512"),
    ("aero_dns_zone", "example.org", "aero_dns_zone = example.org: does not hold linkupnetworks.example.net; "
     "allowed: a zone that it is in"),
    ("aero_capability_zone", "example.net", "aero_capability_zone = example.net: does not hold "
     "aero.linkupnetworks.net; allowed: a zone that it is in"),
    ("aero_dns_update_from", "ns11", "aero_dns_update_from = ns11: not in the inventory; did you mean ns1? "
     "allowed: a host of the inventory, or localhost"),
    ("aero_prot", 1, "aero_prot = (not shown): unknown variable; did you mean aero_port? "
     "allowed: those that inventories/example explains"),
])
def test_mistake_of_the_link_is_said_once(hosts, variable, value, line):
    for variables in hosts.values():
        variables[variable] = value
    assert refused(hosts) == [f"all hosts: {line}"]


def test_tsig_secret_that_is_not_base64(hosts):
    for variables in hosts.values():
        variables["aero_dns_tsig_secret"] = "hidden-secret"
    assert refused(hosts) == [
        f"{host}: aero_dns_tsig_secret = (not shown): not base64; "
        "allowed: the key's secret in base64, as tsig-keygen prints it" for host in ("ns1", "s1", "s2")]


@pytest.mark.parametrize(("asp", "line"), [
    ("2001:db8::1/32", "has bits set to the right of its length; allowed: 2001:db8::/32"),
    ("2001:db8:1::/65", "IPv6 ASP longer than /64; allowed: /64 or shorter"),
    ("2001:db8::/129", "length out of range; allowed: 0 to 128"),
    ("nonsense", "not a prefix; allowed: ADDRESS/LENGTH, such as 2001:db8::/32"),
    ("::/0", "everything is no ASP; allowed: a length of 1 or more"),
    ("fe80::/10", "overlaps fe80::/10, which is link-local; allowed: unicast prefixes"),
    ("224.0.0.0/3", "overlaps 224.0.0.0/4, which is multicast; allowed: unicast prefixes"),
    ("0:1::/32", "its AERO addresses collide with fe80::ID and those of IPv4; allowed: prefixes outside ::/8"),
])
def test_service_prefix_that_is_none(hosts, asp, line):
    for variables in hosts.values():
        variables["aero_asps"] = [*LINK["aero_asps"], asp]
    assert refused(hosts) == [f"all hosts: aero_asps[2] = {asp}: {line}"]


def test_service_prefix_twice(hosts):
    for variables in hosts.values():
        variables["aero_asps"] = [*LINK["aero_asps"], "2001:0db8::/32"]
    assert refused(hosts) == [
        "all hosts: aero_asps = 2001:db8::/32: there twice; allowed: each prefix once (one inside another is fine)"]


def test_client_that_cannot_find_a_server(hosts):
    for variables in hosts.values():
        variables["aero_dns_update_server"] = ""
    hosts["c2"]["aero_client_server_addresses"] = ["203.0.113.11"]
    assert refused(hosts) == [
        "c1: aero_client_server_addresses = []: the Client cannot find Servers, since nothing publishes "
        "linkupnetworks.<aero_domain>; allowed: addresses of Servers here, an aero_dns_update_server, or "
        "aero_underlay_multicast = true"]


def test_a_group_of_the_underlay_needs_no_names(hosts):
    for variables in hosts.values():
        variables["aero_dns_update_server"] = ""
        variables["aero_underlay_multicast"] = True
    assert _model.build(hosts, GROUPS)[1] == []
    for variables in hosts.values():
        variables["aero_encapsulation"] = "raw"
    assert refused(hosts) == ["all hosts: aero_underlay_multicast = true: of no use with aero_encapsulation = raw, "
                              "which has no UDP; allowed: false"]


def test_a_group_of_the_underlay_and_signatures_do_not_go_together(hosts):
    for variables in hosts.values():
        variables["aero_underlay_multicast"] = True
        variables["aero_dhcp_authentication"] = "psk"
    assert ("all hosts: aero_underlay_multicast = true: of no use where messages are signed "
            "(aero_dhcp_authentication = psk, aero_signature_secrets); allowed: false") in refused(hosts)


def test_mistakes_of_the_table_come_last_with_file_and_line(hosts, tmp_path):
    table = tmp_path / "group_vars" / "aero" / "acp_table.csv"
    table.write_text(table.read_text() + "zz,2001:db8:3::/64,,\n")
    hosts["s2"]["aero_port"] = 0
    errors = refused(hosts)
    assert errors[0] == "s2: aero_port = 0: out of range; allowed: 1 to 65535"
    assert errors[1].startswith(f"{table}:4: client_id = zz: ")


def test_table_that_is_not_there(hosts, tmp_path):
    for variables in hosts.values():
        variables["aero_acp_table"] = "none.csv"
    assert refused(hosts) == [
        f"{tmp_path}/none.csv: cannot be read: No such file or directory; allowed: a readable file"]


@pytest.mark.parametrize("value", ["", 5, {"c1": "2001:db8::/64"}])
def test_table_that_is_neither_a_path_nor_a_list(hosts, value):
    for variables in hosts.values():
        variables["aero_acp_table"] = value
    assert [line.partition("allowed: ")[2] for line in refused(hosts)] == [
        "the path of a file (.csv, .yml, .yaml, .json), or a list of dictionaries"]


def test_hosts_with_different_rows_are_told_without_showing_them(hosts):
    rows = [{"client_id": DUID["c1"], "acps": "2001:db8:1::/56", "key": "5ec2e7" * 8}]
    for host, variables in hosts.items():
        variables["aero_acp_table"] = Rows(rows if host != "s1" else [{**rows[0], "key": "5ec2e8" * 8}])
    (error,) = [line for line in refused(hosts) if "aero_acp_table = " in line]
    assert re.fullmatch(r"s1: aero_acp_table = \(1 rows, \w{16}\): c1 has \(1 rows, \w{16}\); "
                        "allowed: one value for the whole link", error)
    assert "5ec2e" not in error


def test_all_mistakes_at_once_sorted_by_host(hosts):
    hosts["s2"]["aero_id"] = 0
    hosts["c1"]["aero_eun_mtu"] = 1
    hosts["r2"]["aero_bgp_password"] = None
    assert [line.split(":")[0] for line in refused(hosts)] == ["c1", "r2", "s2"]
