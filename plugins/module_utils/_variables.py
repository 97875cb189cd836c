# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables an operator may set: whose they are, what they may be, what they are by default.

This is the one place for both; the link model fills the defaults in, so roles need none.
inventories/example explains each of them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.aero.link.plugins.module_utils import _model_values as v
from ansible_collections.aero.link.plugins.module_utils import _psk
from ansible_collections.aero.link.plugins.module_utils._names import CAPABILITY_SUFFIX
from ansible_collections.aero.link.plugins.module_utils._ping import IPV6_HEADERS

RELAY, SERVER, CLIENT, NAME_SERVER = "relay", "server", "client", "name_server"
ROLE_GROUPS = {"aero_relays": RELAY, "aero_servers": SERVER, "aero_clients": CLIENT}

LINK = frozenset({RELAY, SERVER, CLIENT, NAME_SERVER})
NODE = frozenset({RELAY, SERVER, CLIENT})
INFRASTRUCTURE = frozenset({RELAY, SERVER})

REQUIRED = object()
# The UDP port of each encapsulation, 0 for none. Port 8060 means the AERO format, so no other one uses it.
PORTS = {"plain": 8060, "gue": 6080, "raw": 0}


class Variable(t.NamedTuple):
    """``roles``: the hosts it is looked at. ``same``: one value for the whole link."""

    check: v.Check
    roles: frozenset[str]
    default: t.Any = REQUIRED
    same: bool = False
    secret: bool = False


def _link(check: v.Check, default: t.Any = REQUIRED) -> Variable:
    return Variable(check, LINK, default, same=True)


_ADDRESSES = "IPv4 or IPv6 addresses"
_UNDERLAY = v.entry(
    {"interface": v.interface, "addresses": v.list_of(v.address, _ADDRESSES),
     "link_id": v.number(0, 255), "preference": v.number(1, 255)},
    required=("interface",),
)
_OUTSIDE_PEER = v.entry(
    {"name": v.peer_name, "address": v.address, "asn": v.asn, "password": v.bgp_password},
    required=("name", "address", "asn"),
)

_OTHER_SERVER = v.entry(
    {"name": v.text("a name"), "id": v.aero_id, "addresses": v.list_of(v.address, _ADDRESSES)},
    required=("name", "id", "addresses"),
)
# The smallest packet is an IPv6 header and an echo request (_ping.py), the largest an IP packet.
_PROBE = v.entry(
    {"to": v.address, "to_host": v.text("a host of the inventory"), "from": v.address,
     "within": v.list_of(v.prefix, "prefixes"), "families": v.list_of(v.choice("ipv4", "ipv6"), "ipv4, ipv6"),
     "sizes": v.list_of(v.number(IPV6_HEADERS, 65535), "sizes in bytes"),
     "expect": v.choice("reachable", "unreachable")},
)

VARIABLES: dict[str, Variable] = {
    "aero_domain": _link(v.domain),
    "aero_asps": _link(v.list_of(v.asp, "prefixes, such as 2001:db8::/32")),
    "aero_acp_table": _link(v.acp_table, "group_vars/aero/acp_table.csv"),
    "aero_acp_quarantine": _link(v.number(0, 3650), 30),
    "aero_port": _link(v.number(1, 65535), PORTS["plain"]),
    # Encapsulation
    "aero_encapsulation": _link(v.choice(*PORTS), "plain"),
    "aero_udp_checksum": _link(v.choice("auto", "always", "never"), "auto"),
    "aero_header_checksum": _link(v.truth, False),
    "aero_require_signature": _link(v.truth, False),
    "aero_signature_secrets": Variable(_psk.secrets, NODE, [], same=True, secret=True),
    "aero_probe": _link(v.truth, True),
    "aero_reassembly_size": _link(v.number(1576, 65535), 2048),
    "aero_underlay_multicast": _link(v.truth, False),
    "aero_underlay_protected": _link(v.declaration(
        "true (only we can send on the underlay, or IPsec, WireGuard or the like guards it), or false")),
    # Routing
    "aero_bgp_backend": _link(v.choice("bird"), "bird"),
    "aero_bgp_relay_asn": _link(v.asn, 64512),
    "aero_bgp_import_limit": _link(v.number(1, 4294967295), 100000),
    "aero_bgp_password": Variable(v.bgp_password, INFRASTRUCTURE, same=True, secret=True),
    "aero_bgp_asn": Variable(v.asn, frozenset({SERVER}), None),
    "aero_bgp_outside": Variable(
        v.list_of(_OUTSIDE_PEER, "dictionaries with name, address, asn"), frozenset({RELAY}), []),
    # Delegation
    "aero_dhcp_backend": _link(v.choice("kea", "kea_postgresql", "isc"), "kea"),
    "aero_lease_preferred": _link(v.number(1, 4294967294), 3600),
    "aero_lease_valid": _link(v.number(1, 4294967294), 7200),
    "aero_lease_renew": _link(v.number(1, 4294967294), 1000),
    "aero_lease_rebind": _link(v.number(1, 4294967294), 2000),
    "aero_lease_retry": _link(v.number(60, 86400), 120),
    "aero_dhcp_authentication": _link(v.choice("duid", "psk"), "duid"),
    "aero_psk_file": _link(v.text("the path of a file"), "group_vars/aero_servers/psk.yml"),
    "aero_psk_secrets": Variable(_psk.secrets, frozenset({SERVER}), [], same=True, secret=True),
    "aero_release_grace": _link(v.seconds(0, 60), 5),
    "aero_vendor_options": _link(v.choice("rfc8415", "draft52"), "rfc8415"),
    # Route optimisation
    "aero_keepalive": _link(v.seconds(1, 3600), 25),
    "aero_move_interval": _link(v.seconds(0, 3600), 60),
    "aero_damping_limit": _link(v.number(0, 1000), 3),
    "aero_damping_window": _link(v.seconds(1, 3600), 60),
    "aero_other_servers": Variable(
        v.list_of(_OTHER_SERVER, "dictionaries with name, id, addresses"), frozenset({SERVER}), []),
    "aero_forward_time": _link(v.seconds(3, 3600), 30),
    "aero_accept_time": _link(v.seconds(3, 3600), 40),
    "aero_max_retry": _link(v.number(1, 100), 3),
    "aero_require_timestamp": _link(v.truth, False),
    "aero_require_nonce": _link(v.truth, False),
    "aero_redirect_clients": _link(v.choice("never", "unreachable", "always"), "never"),
    "aero_route_optimization": Variable(v.truth, frozenset({CLIENT}), True),
    "aero_accept_redirects": Variable(v.truth, frozenset({CLIENT}), True),
    "aero_capability_lookup": Variable(v.truth, frozenset({CLIENT}), False),
    # Names. The defaults of the two zones are the names they hold.
    "aero_dns_update_server": _link(v.empty_or(v.address), ""),
    "aero_dns_update_port": _link(v.number(1, 65535), 53),
    "aero_dns_update_from": _link(v.empty_or(v.text("a host of the inventory, or localhost")), ""),
    "aero_dns_tsig_name": _link(v.empty_or(v.key_name), ""),
    "aero_dns_tsig_algorithm": _link(
        v.choice("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"), "hmac-sha256"),
    "aero_dns_tsig_secret": Variable(
        v.empty_or(v.base64_key), frozenset({SERVER, NAME_SERVER}), "", same=True, secret=True),
    "aero_dns_zone": _link(v.domain, None),
    "aero_capability_suffix": _link(v.domain, CAPABILITY_SUFFIX),
    "aero_capability_zone": _link(v.domain, None),
    "aero_dns_backend": Variable(v.choice("bind", "knot"), frozenset({NAME_SERVER}), "bind"),
    "aero_dns_addresses": Variable(v.list_of(v.address, _ADDRESSES), frozenset({NAME_SERVER}), []),
    # Proof
    "aero_verify_timeout": _link(v.seconds(0, 3600), 45),
    # Hosts
    "aero_id": Variable(v.aero_id, INFRASTRUCTURE, None),
    "aero_id_base": Variable(v.number(0, 4294967295), INFRASTRUCTURE, None),
    "aero_underlays": Variable(v.list_of(_UNDERLAY, "dictionaries with interface and addresses"), NODE),
    "aero_firewall": Variable(v.truth, LINK, True),
    "aero_client_id": Variable(v.client_id, frozenset({CLIENT})),
    "aero_client_servers": Variable(v.number(1, 16), frozenset({CLIENT}), 2),
    "aero_client_server_addresses": Variable(v.list_of(v.address, _ADDRESSES), frozenset({CLIENT}), []),
    "aero_client_configured_servers": Variable(
        v.list_of(v.text("a host of aero_servers"), "hosts of aero_servers"), frozenset({CLIENT}), []),
    "aero_synthesized_ra": Variable(v.truth, frozenset({CLIENT}), False),
    "aero_eun_interface": Variable(v.empty_or(v.interface), frozenset({CLIENT}), ""),
    "aero_eun_mtu": Variable(v.number(1280, 65479), frozenset({CLIENT}), 1500),
}

# What hosts outside the link may have, too.
OF_ANY_HOST: dict[str, Variable] = {
    "aero_verify_probes": Variable(v.list_of(_PROBE, "dictionaries with to or to_host"), LINK, []),
    "aero_verify_no_routes_inside": Variable(v.truth, LINK, False),
}


def is_known(name: str) -> bool:
    """Whether a name that begins with ``aero_`` is nobody's mistake: a variable, the model itself, or what
    only the lab knows."""
    return name in VARIABLES or name in OF_ANY_HOST or name == "aero_link" or name.startswith("aero_lab_")
