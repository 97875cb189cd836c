# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shape of the link model: what roles and templates read as ``aero_link``.

Plain dictionaries, lists, numbers and texts. No secret is in it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.aero.link.plugins.module_utils import _names
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import Compiled
from ansible_collections.aero.link.plugins.module_utils._acp_duid import colons
from ansible_collections.aero.link.plugins.module_utils._model_checks import Draft
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    address_text,
    aero_address,
    link_local,
)
from ansible_collections.aero.link.plugins.module_utils._variables import (
    CLIENT,
    NAME_SERVER,
    RELAY,
    SERVER,
    VARIABLES,
)

Acps = t.Mapping[str, t.Sequence[Prefix]]

# Variables that only lead to other values of the model.
_INTERNAL = {"asps", "acp_table", "id_base", "bgp_asn", "id_origin"}


def describe(draft: Draft, name: str, table: Compiled, acps_of: Acps) -> dict[str, t.Any]:
    """The link model of an inventory without mistakes."""
    hosts = {host: _host(draft, host, acps_of) for host in sorted(draft.hosts)}
    servers = _infrastructure(draft, hosts, SERVER)
    link = {name: value for name, value in draft.link.items()
            if name not in _INTERNAL and not VARIABLES[f"aero_{name}"].secret}
    return {
        **link,
        "asps": [str(asp) for asp in sorted(draft.link["asps"])],
        "relays": _infrastructure(draft, hosts, RELAY),
        "servers": servers,
        "clients": [{key: hosts[host][key] for key in ("name", "client_id", "acps")}
                    for host in draft.of_role(CLIENT)],
        "name_servers": draft.name_servers,
        "psk_ids": draft.link["psk_secrets"],
        "acp_table": {"file": name, "compiled": table.folder, "rows": table.rows, "acps": table.acps,
                      "sha256": table.sha256},
        "capability_names": capability_names(draft),
        "server_names": server_names(draft, servers),
        "hosts": hosts,
    }


def _host(draft: Draft, host: str, acps_of: Acps) -> dict[str, t.Any]:
    """One host with every key there is, empty where it has no meaning, so that templates need no defaults."""
    empty = {"underlays": [], "bgp_outside": [], "client_server_addresses": [], "eun_interface": "",
             "id": None, "asn": None, "client_id": None, "client_servers": None, "eun_mtu": None,
             "route_optimization": None, "accept_redirects": None, "capability_lookup": None,
             "client_configured_servers": [], "synthesized_ra": None,
             "dns_backend": None, "dns_addresses": [], "other_servers": []}
    values = {**empty, **draft.hosts[host]}
    values = {name: value for name, value in values.items() if name not in _INTERNAL}
    identifier, client_id = values["id"], values["client_id"]
    acps = acps_of[client_id] if client_id else ()
    values["underlays"] = [{"addresses": [], **underlay} for underlay in values["underlays"]]
    values["bgp_outside"] = [{"name": peer["name"], "address": peer["address"], "asn": peer["asn"],
                              "has_password": "password" in peer} for peer in values["bgp_outside"]]
    return {
        **values,
        "name": host,
        "role": draft.roles.get(host, NAME_SERVER),
        "name_server": host in draft.name_servers,
        "has_psk": (draft.link["dhcp_authentication"] == "psk" and draft.roles.get(host) in (SERVER, CLIENT)
                    and not values["client_configured_servers"]),
        "link_local": identifier and link_local(identifier),
        # BGP wants 32 bits that look like an IPv4 address (RFC 6286).
        "router_id": identifier and address_text(0xFFFF << 32 | identifier),
        "addresses": [address for underlay in values["underlays"] for address in underlay["addresses"]],
        "duid": client_id and colons(client_id),
        "acps": [str(acp) for acp in acps],
        "aero_addresses": [aero_address(acp) for acp in acps],
    }


def _infrastructure(draft: Draft, hosts: dict[str, dict[str, t.Any]], role: str) -> list[dict[str, t.Any]]:
    keys = ("name", "id", "link_local", "asn", "router_id", "addresses")
    found = [{key: hosts[host][key] for key in keys} for host in draft.of_role(role)]
    return sorted(found, key=lambda node: node["id"])


def capability_names(draft: Draft) -> list[dict[str, str]]:
    zone = _names.absolute(draft.link["capability_zone"])
    asps = {draft.link["domain"]: draft.link["asps"]}
    return [{"name": name, "type": "PTR", "value": value, "zone": zone}
            for name, value in _names.capability_names(asps, draft.link["capability_suffix"])]


def server_names(draft: Draft, servers: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    zone = _names.absolute(draft.link["dns_zone"])
    known = [(server["id"], server["addresses"]) for server in servers]
    return [{"name": name, "type": record_type, "values": values, "zone": zone}
            for name, record_type, values in _names.server_names(known, draft.link["domain"])]
