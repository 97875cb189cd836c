# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the variables of an inventory to the link model that roles and templates read.

Nothing is contacted; the only file read is the ACP table. All mistakes are collected, each as one line
``host: variable = value: what is wrong; allowed: what would be right``.
"""

from __future__ import annotations

import collections
import os
import re
import typing as t

from ansible_collections.aero.link.plugins.module_utils import (
    _acp_table,
    _model_checks,
    _model_reach,
)
from ansible_collections.aero.link.plugins.module_utils._acp_compiled import (
    Compiled,
    Opened,
    Source,
    in_memory,
)
from ansible_collections.aero.link.plugins.module_utils._model_checks import ALL_HOSTS, Draft
from ansible_collections.aero.link.plugins.module_utils._model_link import describe
from ansible_collections.aero.link.plugins.module_utils._model_values import (
    NOT_SHOWN,
    Failed,
    Place,
    closest,
    shown,
)
from ansible_collections.aero.link.plugins.module_utils._prefixes import (
    Prefix,
    PrefixError,
    link_local,
    parse_prefix,
)
from ansible_collections.aero.link.plugins.module_utils._variables import (
    CLIENT,
    INFRASTRUCTURE,
    NAME_SERVER,
    OF_ANY_HOST,
    PORTS,
    REQUIRED,
    ROLE_GROUPS,
    SERVER,
    VARIABLES,
    Variable,
    is_known,
)

Errors = list  # of (host, rest of the line)
OpenTable = t.Callable[[Source, "t.Sequence[Prefix] | None"], Opened]
Hosts = t.Mapping[str, t.Mapping[str, t.Any]]
Groups = t.Mapping[str, t.Sequence[str]]

_FIRST_PRIVATE_ASN = 4200000000  # RFC 6996


def members(groups: Groups) -> list[str]:
    """All hosts of the link, sorted by name. Those that only wait to be reset are none of it any more."""
    def hosts_of(*names: str) -> set[str]:
        return {host for name in names for host in groups.get(name, ())}

    serving = hosts_of("aero_nodes", "aero_name_servers", *ROLE_GROUPS)
    return sorted(serving | (hosts_of("aero") - hosts_of("aero_retired")))


def build(
    hosts: Hosts, groups: Groups, open_table: OpenTable = in_memory
) -> tuple[dict[str, t.Any], list[str]]:
    """The link model and the mistakes; with any mistake the model is empty.

    ``hosts`` has the ``aero_*`` variables and ``inventory_dir`` of each of ``members(groups)``, and those of
    ``OF_ANY_HOST`` of other hosts.
    ``open_table`` takes the source of the ACP table and the ASPs, and gives the compiled table or its
    mistakes.
    """
    drafted, source = draft(hosts, groups)
    if source is None:
        return {}, mistake_lines(drafted.errors, groups)
    # Without valid ASPs every row would be wrong, which nobody wants to read.
    table, mistakes = open_table(source, drafted.link["asps"] or None)
    name = source if isinstance(source, str) else _acp_table.DATA
    acps_of = _acps_of_clients(drafted, table)
    if table is not None:
        _model_checks.check_client_ids(drafted, acps_of, name)
    lines = mistake_lines(drafted.errors, groups) + mistakes
    return ({} if lines else describe(drafted, name, table, acps_of)), lines


def draft(hosts: Hosts, groups: Groups) -> tuple[Draft, Source | None]:
    """The inventory with the mistakes in it, and the source of its ACP table, which was not looked at; None
    if that cannot be told."""
    errors: Errors = []
    roles = _roles(groups, errors)
    _check_parents(groups, errors)
    name_servers = sorted(groups.get("aero_name_servers", ()))
    everyone = dict(sorted({**dict.fromkeys(name_servers, NAME_SERVER), **roles}.items()))
    for host in members(groups):
        _check_names(Place(errors, host, ""), hosts.get(host, {}))

    known_hosts = frozenset(groups.get("all", ())) | hosts.keys()
    drafted = Draft(errors, roles, name_servers, {}, {host: {} for host in everyone}, {}, known_hosts)
    served = {host: {role} for host, role in everyone.items()}
    for host in name_servers:
        served[host].add(NAME_SERVER)
    for name, variable in VARIABLES.items():
        scope = {host: hosts.get(host, {}) for host, of in served.items() if of & variable.roles}
        if variable.same:
            drafted.link[name[5:]] = _same_value(name, variable, scope, errors)
        else:
            for host, variables in scope.items():
                value = _value(Place(errors, host, name), variable, variables.get(name))
                drafted.hosts[host][name[5:]] = value
    for host, variables in hosts.items():
        for name, variable in OF_ANY_HOST.items():
            value = _value(Place(errors, host, name), variable, variables.get(name))
            drafted.of_any_host.setdefault(host, {})[name[5:]] = value
    _fill(drafted, hosts)
    _model_checks.check_all(drafted)
    _model_reach.check_reach(drafted)
    source = drafted.link["acp_table"]
    return drafted, _table_path(source, hosts) if isinstance(source, str) else source


def _acps_of_clients(drafted: Draft, table: Compiled | None) -> dict[str, list[Prefix]]:
    """The prefixes of the Clients that are in the inventory and in the table."""
    client_ids = {drafted.hosts[host]["client_id"] for host in drafted.of_role(CLIENT)} - {None}
    found = {client_id: table.client(client_id) for client_id in client_ids} if table else {}
    return {client_id: list(map(parse_prefix, client.acps)) for client_id, client in found.items() if client}


def warnings(link: t.Mapping[str, t.Any]) -> list[str]:
    """What may be, but should not, in a link model."""
    return [*_unprotected(link), *_model_reach.strange_servers(link)]


def _unprotected(link: t.Mapping[str, t.Any]) -> list[str]:
    if link["underlay_protected"]:
        return []
    # draft-templin-aerolink-52, section 6: IP security must be used over unmanaged links, and so must
    # DHCPv6's own means be where nothing below authenticates.
    guard = "Have the underlay guarded by IPsec, WireGuard or the like"
    if link["dhcp_authentication"] == "psk":
        return ["aero_underlay_protected = false: whoever can send on the underlay with another's address "
                f"can send packets in a Client's name. {guard}."]
    return ["aero_underlay_protected = false with aero_dhcp_authentication = duid: whoever knows a Client's "
            f"ID, no secret, can take over its prefix. {guard}, and set aero_dhcp_authentication: psk."]


def _roles(groups: Groups, errors: Errors) -> dict[str, str]:
    """The one role of each Relay, Server and Client."""
    groups_of: dict[str, list[str]] = collections.defaultdict(list)
    for group in ROLE_GROUPS:
        for host in groups.get(group, ()):
            groups_of[host].append(group)
    allowed = f"allowed: one of {', '.join(ROLE_GROUPS)}"
    for host in members(groups):
        found = groups_of[host]
        if len(found) > 1:
            Place(errors, host, "groups").refuse(", ".join(found), f"more than one role; {allowed}")
        if not found and host not in groups.get("aero_name_servers", ()):
            stands_in = ", ".join(group for group in ("aero", "aero_nodes") if host in groups.get(group, ()))
            Place(errors, host, "groups").refuse(stands_in, f"no role; {allowed}, aero_name_servers")
    return {host: ROLE_GROUPS[groups_of[host][0]] for host in sorted(groups_of) if groups_of[host]}


def _check_parents(groups: Groups, errors: Errors) -> None:
    """Plays go by ``aero``, ``aero_nodes`` and ``aero_retired``: who is not in them as its role says would be
    left out of some, or cleaned while it serves."""
    parents = ("aero", "aero_nodes", "aero_retired")
    link, nodes, retired = (frozenset(groups.get(name, ())) for name in parents)
    as_in = "as in inventories/example/hosts.yml"
    for group in (*ROLE_GROUPS, "aero_name_servers"):
        for host in groups.get(group, ()):
            at, child = Place(errors, host, "groups"), "aero_nodes" if group in ROLE_GROUPS else group
            if group in ROLE_GROUPS and host not in nodes:
                at.refuse(group, f"not in aero_nodes; allowed: {group} as a child of aero_nodes, {as_in}")
            elif host not in link:
                at.refuse(group, f"not in aero; allowed: {child} as a child of aero, {as_in}")
            if host in retired:
                at.refuse(f"{group}, aero_retired", "in use and retired at once; allowed: one of the two")


def _check_names(at: Place, variables: t.Mapping[str, t.Any]) -> None:
    for name in variables:
        if name.startswith("aero_") and not is_known(name):
            # It may be a mistyped secret, so its value is not shown.
            hint = closest(name, (*VARIABLES, *OF_ANY_HOST))
            (at / name).refuse(NOT_SHOWN, f"unknown variable; {hint}allowed: those that inventories/example "
                               "explains")


def _value(at: Place, variable: Variable, raw: t.Any) -> t.Any:
    """The checked value, the default where none is set, None where it is not allowed."""
    if isinstance(raw, Failed):
        return at.refuse("(no value)", raw)
    if raw is None and variable.default is not REQUIRED:
        raw = variable.default
        if raw is None:
            return None
    return variable.check(raw, at)


def _same_value(name: str, variable: Variable, scope: Hosts, errors: Errors) -> t.Any:
    """The value that all hosts agree on; where they do not, the one of most hosts."""
    holders: dict[str, list[str]] = collections.defaultdict(list)
    for host, variables in scope.items():
        raw = variables.get(name)
        holders[repr(variable.default if raw is None else raw)].append(host)
    allowed_values = []
    for hosts in sorted(holders.values(), key=len, reverse=True):
        found: Errors = []
        raw = scope[hosts[0]].get(name)
        value = _value(Place(found, "", name), variable, raw)
        errors.extend((host, line) for host in hosts for _nobody, line in found)
        if not found:
            text = NOT_SHOWN if variable.secret else shown(variable.default if raw is None else raw)
            allowed_values.append((value, text, hosts))
    if not allowed_values:
        return None
    common, common_text, most = allowed_values[0]
    for value, text, hosts in allowed_values[1:]:
        if variable.secret or value != common:
            for host in hosts:
                Place(errors, host, name).refuse(
                    text, f"{most[0]} has {common_text}; allowed: one value for the whole link")
    return common


def _fill(draft: Draft, hosts: Hosts) -> None:
    """The values that follow from others."""
    encapsulation = draft.link["encapsulation"]
    if encapsulation in PORTS and draft.link["port"] == PORTS["plain"]:
        draft.link["port"] = PORTS[encapsulation]
    draft.link["dns_zone"] = draft.link["dns_zone"] or draft.link["domain"]
    draft.link["capability_zone"] = draft.link["capability_zone"] or draft.link["capability_suffix"]
    for host, values in draft.hosts.items():
        for position, underlay in enumerate(values.get("underlays") or []):
            underlay.setdefault("link_id", position)
            underlay.setdefault("preference", 255)
        role = draft.roles.get(host)
        if role in INFRASTRUCTURE:
            _identify(draft, host, hosts.get(host, {}))
            values["asn"] = draft.link["bgp_relay_asn"]
        if role == SERVER:
            values["asn"] = values["bgp_asn"] or (values["id"] and _FIRST_PRIVATE_ASN + values["id"])


def _identify(draft: Draft, host: str, variables: t.Mapping[str, t.Any]) -> None:
    """The ID of a Relay or Server: its own aero_id, else its group's base plus the number in its name."""
    values = draft.hosts[host]
    values["id_origin"] = ""
    if variables.get("aero_id") is not None:
        return
    base, digits = values["id_base"], re.search(r"[0-9]+$", host.split(".")[0])
    at = draft.at(host, "id")
    if variables.get("aero_id_base") is None or not digits or re.fullmatch(r"[0-9.]+", host):
        at.refuse(None, "allowed: a number for this host, or aero_id_base on its group: the ID is then the "
                  "base plus the number at the end of the host name")
    elif base is not None:
        identifier = base + int(digits[0])
        values["id_origin"] = f" (aero_id_base {base} + {int(digits[0])})"
        try:
            link_local(identifier)
        except PrefixError as error:
            at.refuse(f"{identifier}{values['id_origin']}", error)
        else:
            values["id"] = identifier


def _table_path(name: str, hosts: Hosts) -> str:
    """The table's file; a relative name is relative to the inventory, of several to the one that has it."""
    folders = dict.fromkeys(variables.get("inventory_dir") or "." for variables in hosts.values())
    paths = [os.path.abspath(os.path.join(folder, os.path.expanduser(name))) for folder in folders or ["."]]
    return next((path for path in paths if os.path.exists(path)), paths[0])


def mistake_lines(errors: Errors, groups: Groups) -> list[str]:
    """The mistakes sorted by host; one that every host of the link has is said once, and first."""
    link = members(groups)
    holders: dict[str, set[str]] = collections.defaultdict(set)
    for host, line in errors:
        holders[line].add(host)
    lines = []
    for line, found in holders.items():
        everywhere = len(link) > 1 and found.issuperset(link)
        lines += [(host != ALL_HOSTS, host, line) for host in ([ALL_HOSTS] if everywhere else found)]
    return [f"{host}: {line}" for _last, host, line in sorted(lines)]
