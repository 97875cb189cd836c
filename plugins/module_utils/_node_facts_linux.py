# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ip(8), systemctl(1), nft(8) and /proc say, as plain data."""

from __future__ import annotations

import hashlib
import json

ROUTE_KEYS = ("type", "dst", "via", "gateway", "dev", "protocol", "metric", "prefsrc", "table")


def parse_json_stream(text):
    """The JSON values that follow each other in ``text`` (``ip -j -batch`` writes one for each command)."""
    decoder = json.JSONDecoder()
    values = []
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return values
        value, position = decoder.raw_decode(text, position)
        values.append(value)


def interface_facts(links, name):
    """The interface ``name`` in ``links``, the answer of ``ip -j address show``."""
    for link in links:
        if link.get("ifname") == name:
            return {
                "name": name,
                "present": True,
                "up": "UP" in link["flags"] and "LOWER_UP" in link["flags"],
                "mtu": link["mtu"],
                "addresses": [
                    f"{address['local']}/{address['prefixlen']}"
                    for address in link.get("addr_info", [])
                ],
            }
    return {"name": name, "present": False, "up": False, "mtu": 0, "addresses": []}


def global_addresses(links):
    """All usable addresses of global scope in ``links``: ``[{interface, address, length}]``."""
    return [
        {"interface": link["ifname"], "address": address["local"], "length": address["prefixlen"]}
        for link in links
        for address in link.get("addr_info", [])
        if address["scope"] == "global"
        and not any(address.get(flag) for flag in ("tentative", "dadfailed", "deprecated", "temporary"))
    ]


def route_facts(routes):
    """``routes`` of ``ip -j route show`` as ``[{type, dst, via, dev, protocol, metric, ..}]``.

    ``via`` is the next hop as text, whether ``ip`` calls it gateway or (IPv4 over IPv6) via.
    """
    facts = []
    for route in routes:
        fact = {key: route[key] for key in ROUTE_KEYS if key in route}
        fact.setdefault("type", "unicast")
        gateway = fact.pop("gateway", "")
        via = fact.get("via")
        fact["via"] = via["host"] if isinstance(via, dict) else gateway
        facts.append(fact)
    return facts


def parse_units(text):
    """The units in the output of ``systemctl show``: ``{name: {state, sub_state, restarts, pid}}``.

    A unit that is not installed is left out.
    """
    units = {}
    for block in text.split("\n\n"):
        shown = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if shown.get("LoadState", "not-found") == "not-found":
            continue
        units[shown["Id"].rsplit(".", 1)[0]] = {
            "state": shown["ActiveState"],
            "sub_state": shown["SubState"],
            "restarts": int(shown.get("NRestarts") or 0),
            "pid": int(shown.get("MainPID") or 0),
        }
    return units


def firewall_facts(listing):
    """The table listed by ``nft --stateless list table``, ``None`` when there is none."""
    if listing is None:
        return {"present": False, "rules_hash": ""}
    return {"present": True, "rules_hash": hashlib.sha256(listing.encode()).hexdigest()}


def parse_pss(smaps_rollup):
    """The proportional set size in kB in the text of ``/proc/PID/smaps_rollup``."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def cpu_percent(stat, uptime, ticks):
    """The share of one core that the process of ``/proc/PID/stat`` has used since it started.

    ``uptime`` is the text of ``/proc/uptime``, ``ticks`` the clock ticks in a second (proc(5), fields
    14 utime, 15 stime and 22 starttime; the command name in field 2 may contain spaces).
    """
    fields = stat.rpartition(")")[2].split()
    used = (int(fields[11]) + int(fields[12])) / ticks
    lived = float(uptime.split()[0]) - int(fields[19]) / ticks
    return round(100 * used / lived, 3) if lived > 0 else 0.0


def text_of(path):
    """The text of a file, empty when it, or its process, has gone in the meantime."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
