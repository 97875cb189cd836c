# SPDX-License-Identifier: GPL-3.0-or-later
"""A small link in order: two Relays, two Servers, two Clients, an end host and a host outside."""

from __future__ import annotations

ASPS = ["198.51.100.0/24", "2001:db8::/32"]
ACPS = {"c1": ["2001:db8:1000::/56", "198.51.100.32/28"], "c2": ["2001:db8:2000::/64"]}
ROUTERS = {
    "r1": ("relay", 1, "fe80::1", 64512, ["203.0.113.1", "fd00:ae::1"]),
    "r2": ("relay", 2, "fe80::2", 64512, ["203.0.113.2"]),
    "s1": ("server", 11, "fe80::b", 4200000011, ["203.0.113.11", "fd00:ae::11"]),
    "s2": ("server", 12, "fe80::c", 4200000012, ["203.0.113.12"]),
}
SERVER_ADDRESSES = ["203.0.113.11", "203.0.113.12"]
SERVER_NAME = "linkupnetworks.example.net."
CAPABILITY_NAME = "*.8.b.d.0.1.0.0.2.aero.linkupnetworks.net."


def link():
    """The link model, as validate_link makes it (only what verify reads)."""
    model = {
        "domain": "example.net",
        "asps": list(ASPS),
        "dns_update_server": "203.0.113.53",
        "psk_ids": [2, 1],
        "dhcp_backend": "kea",
        "acp_table": {"file": "acp_table.csv", "rows": 2, "acps": 3, "sha256": "ab" * 32},
        "relays": [],
        "servers": [],
        "clients": [{"name": name, "client_id": "00", "acps": acps} for name, acps in ACPS.items()],
        "capability_names": [
            {"name": CAPABILITY_NAME, "type": "PTR", "value": "example.net.", "zone": "linkupnetworks.net."}
        ],
        "server_names": [
            {"name": SERVER_NAME, "type": "A", "values": SERVER_ADDRESSES, "zone": "example.net."}
        ],
        "hosts": {"ns1": _host(name="ns1", role="name_server")},
    }
    for name, (role, number, link_local, asn, addresses) in ROUTERS.items():
        entry = {"name": name, "id": number, "link_local": link_local, "asn": asn, "addresses": addresses}
        model[f"{role}s"].append(entry)
        model["hosts"][name] = _host(role=role, **entry)
    model["hosts"]["r1"]["bgp_outside"] = [{"name": "x1", "address": "198.18.0.9", "asn": 64999}]
    for name, acps in ACPS.items():
        extra = {"acps": acps, "aero_addresses": [f"fe80::{name}"], "client_servers": 2}
        extra["eun_interface"] = "eth1" if name == "c1" else ""
        model["hosts"][name] = _host(name=name, role="client", **extra)
    return model


def _host(**values):
    empty = {"id": None, "link_local": None, "bgp_outside": [], "acps": [], "eun_interface": "",
             "client_configured_servers": []}
    empty["has_psk"] = values["role"] in ("server", "client")
    return {**empty, "firewall": True, **values}


def nodes():
    """What node_info returns for each host while everything is right."""
    facts = {name: _router(name) for name in ROUTERS}
    facts.update({name: _client(name) for name in ACPS})
    facts["h1"] = {"addresses": [_address("eth0", "2001:db8:1000::5"), _address("eth0", "198.51.100.34")]}
    facts["x1"] = {
        "addresses": [_address("eth0", "3fff:1::80")],
        "routes": {"inside": {asp: {"exact": True, "more_specific": 0, "sample": []} for asp in ASPS}},
    }
    return facts


def _address(interface, address):
    return {"interface": interface, "address": address, "length": 128 if ":" in address else 32}


def _node(role, addresses=(), units=()):
    keys = {"relay": None, "server": {"keys": [2, 1]}, "client": {"keys": [2]}}[role]
    return {
        "problems": [],
        "versions": {"aerod": "0.1.0", "bird": "2.0.12", "dhcp": None, "kernel": "6.1", "python": "3.11"},
        "interface": {"name": "aero0", "present": True, "up": True, "addresses": list(addresses)},
        "addresses": [],
        "aerod": {"running": True, "status": {"role": role, "id": None, "authentication": keys}},
        "neighbors": {"permanent": [], "counts": {}, "sample": [], "lookup": {}},
        "leases": [],
        "prefixes": [],
        "delegated": None,
        "routes": {
            "acp_routes": 3,
            "policy_table": {"ipv4": [], "ipv6": []},
            "rules": {"ipv4": [], "ipv6": []},
            "lookup": {},
            "inside": {},
        },
        "bgp": None,
        "mismatches": [],
        "names": [],
        "firewall": {"present": True, "rules_hash": "00"},
        "units": {unit: {"state": "active"} for unit in ("aero-firewall", "aero-interface", "aerod", *units)},
        "memory": {"aerod_pss_kb": 20480, "cpu_percent": 0.1},
    }


def _router(name):
    role, number, link_local, _asn, _addresses = ROUTERS[name]
    node = _node(role, [f"{link_local}/64"], ["bird"] if role == "relay" else ["bird", "kea-dhcp6-server"])
    node["aerod"]["status"]["id"] = number
    peers = {peer: values for peer, values in ROUTERS.items() if values[0] != role}
    node["neighbors"]["permanent"] = [
        {"kind": "permanent", "link_local": values[2], "links": [{"address": a} for a in values[4]]}
        for peer, values in peers.items()
    ]
    node["bgp"] = {
        "router_id": f"0.0.0.{number}",
        "sessions": [_session(peer, values[2], values[3]) for peer, values in peers.items()],
        "lookup": {},
    }
    if name == "r1":
        node["bgp"]["sessions"].append(_session("x1", "198.18.0.9", 64999))
    (_fill_relay if role == "relay" else _fill_server)(node)
    return node


def _session(name, neighbor, asn):
    return {"name": name, "neighbor": neighbor, "asn": asn, "state": "Established", "error": ""}


def _fill_relay(node):
    for asp in ASPS:
        node["routes"]["lookup"][asp] = [{"type": "unreachable", "dst": asp, "via": "", "dev": "lo"}]
    for acps in ACPS.values():
        for acp in acps:
            node["routes"]["lookup"][acp] = [{"type": "unicast", "via": "fe80::b", "dev": "aero0"}]
            node["bgp"]["lookup"][acp] = [
                {"session": "s1", "type": "unicast", "best": True, "via": "fe80::b", "interface": "aero0"},
                {"session": "s2", "type": "unicast", "best": False, "via": "fe80::c", "interface": "aero0"},
            ]


def _fill_server(node):
    node["delegated"] = {"prefixes": 3, "reservations": 2, "table_hash": "ab" * 32}
    node["delegated"].update(backend="kea", table_loaded=True, listening=True)
    for family in ("ipv4", "ipv6"):
        node["routes"]["policy_table"][family] = [{"type": "unicast", "dst": "default", "via": "fe80::1"}]
    for acps in ACPS.values():
        for acp in acps:
            entry = {"kind": "static", "link_local": "fe80::1", "prefixes": acps}
            node["neighbors"]["lookup"][acp] = {"prefix": acp, "neighbor": entry}
            route = {"type": "unicast", "via": "", "dev": "aero0", "protocol": "128"}
            node["routes"]["lookup"][acp] = [route]


def _client(name):
    acps = ACPS[name]
    node = _node("client", units=["aero-eun"] if name == "c1" else [])
    node["prefixes"] = acps
    node["leases"] = [
        {
            "server": link_local,
            "state": "bound",
            "silent": False,
            "prefixes": [{"prefix": acp, "iaid": 1} for acp in acps],
            "seen_as": {"address": "203.0.113.10", "port": 8060},
            "behind_nat": name == "c1",
        }
        for link_local in ("fe80::b", "fe80::c")
    ]
    interface = "eth1" if name == "c1" else "lo"
    node["addresses"] = [_address("eth0", "10.77.0.2")]
    node["addresses"] += [_address(interface, acp.partition("/")[0]) for acp in acps]
    for acp in acps:
        node["routes"]["lookup"][acp] = [{"type": "unreachable", "dst": acp, "via": "", "dev": "lo"}]
    for family in ("ipv4", "ipv6"):
        node["routes"]["policy_table"][family] = [{"dst": "default", "via": "", "dev": "aero0"}]
        node["routes"]["rules"][family] = [{"priority": 32000, "src": "all", "table": "8060"}]
    node["names"] = [
        {"name": SERVER_NAME, "type": "A", "rcode": "NOERROR", "values": [*SERVER_ADDRESSES]},
        {"name": CAPABILITY_NAME, "type": "PTR", "rcode": "NOERROR", "values": ["example.net."]},
    ]
    return node
