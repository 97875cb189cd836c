# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a node, one function for each subset.

Each takes a :class:`Node`, which asks the node's daemons and tools, and returns a dictionary that
becomes part of the module's result. Nothing here dumps a table that can be big.
"""

from __future__ import annotations

import functools
import json
import os
import platform
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.aero.link.plugins.module_utils._dns_stub import (
    NoAnswer,
    resolve,
    system_name_servers,
)
from ansible_collections.aero.link.plugins.module_utils._node_facts_aerod import (
    Aerod,
    AerodError,
    drop_counters,
    leased_prefixes,
)
from ansible_collections.aero.link.plugins.module_utils._node_facts_bird import (
    Bird,
    BirdError,
    parse_routes,
    parse_sessions,
)
from ansible_collections.aero.link.plugins.module_utils._node_facts_delegation import delegation_facts
from ansible_collections.aero.link.plugins.module_utils._node_facts_linux import (
    cpu_percent,
    firewall_facts,
    global_addresses,
    interface_facts,
    parse_json_stream,
    parse_pss,
    parse_units,
    route_facts,
    text_of,
)
from ansible_collections.aero.link.plugins.module_utils._node_facts_mismatches import (
    BIRD_ACPS,
    MOST_READ,
    bird_count,
    bird_networks,
    canonical,
    mismatch,
    of_counts,
    of_leases,
    of_tables,
)

AEROD_SOCKET = "/run/aero/aerod.sock"
BIRD_SOCKET = "/run/bird/bird.ctl"
POLICY_TABLE = "8060"
AEROD_PROTOCOL = "128"
SAMPLE = 5
AT_ONCE = 8
UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,NRestarts,MainPID"


class Node:
    """The way to the node's daemons and tools. What several subsets need is asked once.

    ``problems`` collects what could not be asked.
    """

    def __init__(self, module):
        self.params = module.params
        self.problems = []
        self._module = module

    def output(self, program, *arguments, data=None):
        """What ``program`` prints, ``None`` when it is missing or fails."""
        path = self._module.get_bin_path(program)
        if path is None:
            return None
        code, output, _errors = self._module.run_command([path, *arguments], data=data)
        return output if code == 0 else None

    def ip(self, *arguments):
        """The objects that ``ip -j`` prints."""
        return json.loads(self.output("ip", "-j", *arguments) or "[]")

    @functools.cached_property
    def links(self):
        return self.ip("address", "show")

    @functools.cached_property
    def units(self):
        names = [f"{unit}.service" for unit in self.params["units"]]
        return parse_units(self.output("systemctl", "show", "-p", UNIT_PROPERTIES, *names) or "")

    @functools.cached_property
    def _aerod(self):
        try:
            return Aerod(AEROD_SOCKET)
        except AerodError as error:
            self.problems.append(str(error))
            return None

    @functools.cached_property
    def status(self):
        return self.ask_aerod("status", None)

    def ask_aerod(self, command, default, **arguments):
        """aerod's answer to ``command``, ``default`` when there is none."""
        if self._aerod is None:
            return default
        try:
            return self._aerod.ask(command, **arguments)
        except AerodError as error:
            self.problems.append(str(error))
            return default

    @functools.cached_property
    def bird(self):
        """BIRD's control socket, ``None`` on a node without BIRD."""
        if not os.path.exists(BIRD_SOCKET) and "bird" not in self.units:
            return None
        try:
            return Bird(BIRD_SOCKET)
        except BirdError as error:
            self.problems.append(str(error))
            return None

    @functools.cached_property
    def delegation(self):
        """What the DHCPv6 server does, ``None`` on a node without one."""
        return delegation_facts(self.units, self.problems)


def by_family(prefixes):
    """``prefixes`` as pairs of ip(8)'s family option and the prefixes of that family."""
    for option in ("-4", "-6"):
        chosen = [prefix for prefix in prefixes if (":" in prefix) == (option == "-6")]
        if chosen:
            yield option, chosen


def versions(node):
    return {
        "versions": {
            "aerod": (node.status or {}).get("version"),
            "bird": node.bird.version if node.bird else None,
            "dhcp": node.delegation["version"] if node.delegation else None,
            "kernel": os.uname().release,
            "python": platform.python_version(),
        }
    }


def interface(node):
    return {"interface": interface_facts(node.links, node.params["interface"])}


def addresses(node):
    return {"addresses": global_addresses(node.links)}


def aerod(node):
    return {"aerod": {"running": node.status is not None, "status": node.status}}


def dropped(node):
    return {"drop_counters": drop_counters(node.ask_aerod("counters", {}))}


def neighbors(node):
    counts = (node.status or {}).get("neighbors", {})
    return {
        "neighbors": {
            "permanent": node.ask_aerod("neighbors", [], kind="permanent"),
            "counts": counts,
            "sample": node.ask_aerod("neighbors", [], kind="static", limit=SAMPLE),
            "lookup": {
                prefix: node.ask_aerod("lookup", None, address=prefix.partition("/")[0])
                for prefix in node.params["lookup_prefixes"]
            },
        }
    }


def leases(node):
    """A Client's leases. Those of a Server are a table, and counted by :func:`delegated`."""
    if (node.status or {}).get("role") != "client":
        return {"leases": [], "prefixes": []}
    held = node.ask_aerod("leases", [])
    return {"leases": held, "prefixes": leased_prefixes(held)}


def delegated(node):
    if node.delegation is None:
        return {"delegated": None}
    # Servers count leases of their pools only, and reservations are in none: the count is aerod's.
    return {"delegated": {"prefixes": (node.status or {}).get("routes", 0), **node.delegation}}


def routes(node):
    return {
        "routes": {
            "acp_routes": (node.status or {}).get("routes", 0),
            "policy_table": {
                "ipv4": route_facts(node.ip("-4", "route", "show", "default", "table", POLICY_TABLE)),
                "ipv6": route_facts(node.ip("-6", "route", "show", "default", "table", POLICY_TABLE)),
            },
            "rules": {"ipv4": node.ip("-4", "rule", "show"), "ipv6": node.ip("-6", "rule", "show")},
            "lookup": _kernel_lookup(node),
            "inside": {prefix: _routes_inside(node, prefix) for prefix in node.params["routes_inside"]},
        }
    }


def _kernel_lookup(node):
    found = {}
    for option, prefixes in by_family(node.params["lookup_prefixes"]):
        commands = "".join(f"route show exact {prefix}\n" for prefix in prefixes)
        output = node.output("ip", "-j", option, "-force", "-batch", "-", data=commands)
        answers = parse_json_stream(output or "")
        found.update(zip(prefixes, map(route_facts, answers), strict=True))
    return found


def _routes_inside(node, prefix):
    option = "-6" if ":" in prefix else "-4"
    destinations = [route["dst"] for route in node.ip(option, "route", "show", "root", prefix)]
    specific = sorted(destination for destination in destinations if destination != prefix)
    return {"exact": prefix in destinations, "more_specific": len(specific), "sample": specific[:SAMPLE]}


def mismatches(node):
    """Prefixes of which something lacks at this node, by name; nothing can be said without the daemons."""
    role = (node.status or {}).get("role")
    if node.bird is None or role not in ("relay", "server"):
        return {"mismatches": []}
    try:
        announced = bird_count(node.bird.ask(f"{BIRD_ACPS} count"))
        found = _at_relay(node, announced) if role == "relay" else _at_server(node, announced)
        return {"mismatches": list(found)}
    except BirdError as error:
        node.problems.append(str(error))
        return {"mismatches": []}


def _at_relay(node, learned):
    known = node.status["routes"]
    if known != learned:
        name = "route unknown to aerod" if learned > known else "route known to aerod alone"
        yield mismatch(name, abs(learned - known))


def _at_server(node, announced):
    yield from of_leases(node.status.get("lease_audit"))
    # What comes and goes too often is not announced yet.
    held_down = {row["prefix"] for row in node.ask_aerod("damping", [])}
    wanted = node.status["routes"] - len(held_down)
    if wanted == announced:
        return
    if max(wanted, announced) > MOST_READ:
        yield from of_counts(wanted, announced)
        return
    device = node.params["interface"]
    rows = node.ask_aerod("neighbors", [], kind="static", limit=MOST_READ)
    neighbors = {prefix for row in rows for prefix in row["prefixes"]}
    routes = {
        canonical(route["dst"])
        for option in ("-4", "-6")
        for route in node.ip(option, "route", "show", "dev", device, "proto", AEROD_PROTOCOL)
    }
    yield from of_tables(neighbors - held_down, routes, bird_networks(node.bird.ask(BIRD_ACPS)))


def bgp(node):
    if node.bird is None:
        return {"bgp": None}
    try:
        facts = {
            "router_id": _router_id(node.bird.ask("show status")),
            "sessions": parse_sessions(node.bird.ask("show protocols all")),
            "lookup": {
                prefix: parse_routes(node.bird.ask(f"show route {prefix}"))
                for prefix in node.params["lookup_prefixes"]
            },
        }
    except BirdError as error:
        node.problems.append(str(error))
        return {"bgp": None}
    return {"bgp": facts}


def _router_id(status):
    return next((line.split()[-1] for line in status.splitlines() if line.startswith("Router ID is ")), "")


def names(node):
    servers = node.params["name_servers"] or system_name_servers()

    def answer(question):
        try:
            rcode, values = resolve(question["name"], question["type"], servers)
        except (NoAnswer, UnicodeError, ValueError) as error:
            rcode, values = str(error), []
        return dict(question, rcode=rcode, values=values)

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return {"names": list(pool.map(answer, node.params["names"]))}


def firewall(node):
    return {"firewall": firewall_facts(node.output("nft", "--stateless", "list", "table", "inet", "aero"))}


def units(node):
    return {"units": node.units}


def memory(node):
    pid = node.units.get("aerod", {}).get("pid", 0)
    if not pid:
        return {"memory": {"aerod_pss_kb": 0, "cpu_percent": 0.0}}
    pss = parse_pss(text_of(f"/proc/{pid}/smaps_rollup"))
    stat, uptime = text_of(f"/proc/{pid}/stat"), text_of("/proc/uptime")
    percent = cpu_percent(stat, uptime, os.sysconf("SC_CLK_TCK")) if stat else 0.0
    return {"memory": {"aerod_pss_kb": pss, "cpu_percent": percent}}


SUBSETS = {
    "versions": versions,
    "interface": interface,
    "addresses": addresses,
    "aerod": aerod,
    "drop_counters": dropped,
    "neighbors": neighbors,
    "leases": leases,
    "delegated": delegated,
    "routes": routes,
    "bgp": bgp,
    "mismatches": mismatches,
    "names": names,
    "firewall": firewall,
    "units": units,
    "memory": memory,
}
