# SPDX-License-Identifier: GPL-3.0-or-later
"""A right inventory as the link model gets it, to be spoilt by tests."""

from __future__ import annotations

from ansible_collections.aero.link.plugins.module_utils import _model

DUID = {"c1": "00:03:00:01:52:54:00:00:10:01", "c2": "00:03:00:01:52:54:00:00:10:02"}
BARE = {name: duid.replace(":", "") for name, duid in DUID.items()}


def nested(groups):
    """The groups with their parents, as they are in an inventory."""
    nodes = [host for name in ("aero_relays", "aero_servers", "aero_clients") for host in groups.get(name, ())]
    return {**groups, "aero_nodes": nodes, "aero": [*nodes, *groups.get("aero_name_servers", ())]}


GROUPS = nested({"aero_relays": ["r1", "r2"], "aero_servers": ["s1", "s2"], "aero_clients": ["c1", "c2"],
                 "aero_name_servers": ["ns1"]})
LINK = {
    "aero_domain": "example.net",
    "aero_asps": ["2001:db8::/32", "198.51.100.0/24"],
    "aero_underlay_protected": True,
    "aero_bgp_password": "bgp-secret",
    "aero_dns_update_server": "203.0.113.53",
    "aero_dns_tsig_name": "aero-update",
    "aero_dns_tsig_secret": "dHNpZy1zZWNyZXQ=",
}
SECRETS = ("bgp-secret", "dHNpZy1zZWNyZXQ=", "hidden-secret")


def underlay(*addresses, interface="eth0", **more):
    return {"interface": interface, "addresses": list(addresses), **more}


def link_hosts(folder):
    """The hosts of GROUPS with each variable that has no default; their table is in the folder."""
    tables = folder / "group_vars" / "aero"
    tables.mkdir(parents=True)
    (tables / "acp_table.csv").write_text(
        "client_id,acps,name,comment\n"
        f"{DUID['c1']},2001:db8:1::/56 198.51.100.32/28,c1,\n{DUID['c2']},2001:db8:2::/64,c2,\n")
    return {
        host: {**LINK, "inventory_dir": str(folder), **own} for host, own in {
            "r1": {"aero_id_base": 0, "aero_underlays": [underlay("203.0.113.1", "fd00:ae::1")],
                   "aero_bgp_outside": [{"name": "x1", "address": "203.0.113.254", "asn": 64999}]},
            "r2": {"aero_id_base": 0, "aero_underlays": [underlay("203.0.113.2")]},
            "s1": {"aero_id_base": 10, "aero_underlays": [underlay("203.0.113.11")]},
            "s2": {"aero_id_base": 10, "aero_underlays": [underlay("203.0.113.12")]},
            "c1": {"aero_client_id": DUID["c1"], "aero_underlays": [{"interface": "eth0"}],
                   "aero_eun_interface": "eth1"},
            "c2": {"aero_client_id": DUID["c2"],
                   "aero_underlays": [{"interface": "eth0"}, {"interface": "wlan0", "preference": 9}]},
            "ns1": {},
        }.items()
    }


def refused(hosts, groups=None):
    """The lines said about an inventory that is wrong."""
    link, errors = _model.build(hosts, GROUPS if groups is None else groups)
    assert link == {} and errors
    return errors
