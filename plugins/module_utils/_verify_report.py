# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of proof: what was seen, as tables of plain text."""

from __future__ import annotations

from ansible_collections.aero.link.plugins.module_utils._verify_facts import View, listed

ABSENT = "-"


def report(link, nodes, sent):
    """The lines of the page. ``sent`` maps hosts to the results of aero.link.probe."""
    view = View(link, nodes)
    sections = [
        (f"AERO link {link['domain']}, service prefixes {listed(link['asps'])}", _nodes(view)),
        ("Clients", _clients(view)),
        ("Packets (round trip time in ms)", _packets(sent)),
    ]
    lines = []
    for title, rows in sections:
        if len(rows) > 1:
            lines += [title, *(f"  {line}" for line in aligned(rows)), ""]
    return lines + _closing(view, sent)


def aligned(rows):
    """``rows`` of texts, the first one the heading, as lines with columns under each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _nodes(view):
    rows = [("node", "role", "address", "aerod", "bird", "dhcp", "bgp up", "prefixes", "memory")]
    for name, host, node in view.looked_at("relay", "server", "client"):
        versions = node["versions"]
        rows.append(
            (
                name,
                host["role"],
                host["link_local"] or listed(host["aero_addresses"][:1]),
                versions["aerod"] or ABSENT,
                versions["bird"] or ABSENT,
                versions["dhcp"] or ABSENT,
                _sessions(node["bgp"]),
                str(len(node["prefixes"]) or node["routes"]["acp_routes"]),
                f"{node['memory']['aerod_pss_kb'] / 1024:.1f} MB",
            )
        )
    return rows


def _sessions(bgp):
    if bgp is None:
        return ABSENT
    up = [session for session in bgp["sessions"] if session["state"] == "Established"]
    return f"{len(up)} of {len(bgp['sessions'])}"


def _clients(view):
    rows = [("client", "prefixes", "at", "seen as", "NAT")]
    for name, _host, node in view.looked_at("client"):
        prefixes = listed(node["prefixes"])
        for lease in (view.leases_held(name) or {}).values():
            seen = lease["seen_as"]
            rows.append(
                (
                    name,
                    prefixes,
                    view.server_name(lease["server"]),
                    _endpoint(seen["address"], seen["port"]) if seen else ABSENT,
                    "yes" if lease["behind_nat"] else "no" if seen else ABSENT,
                )
            )
            name = prefixes = ""
    return rows


def _endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _packets(sent):
    """One row for each way, one column for each size that was used."""
    sizes = sorted({result["size"] for results in sent.values() for result in results})
    rows = [("from", "to", "address", *(f"{size} bytes" for size in sizes))]
    for host, results in sorted(sent.items()):
        ways = {}
        for result in results:
            ways.setdefault((result["label"], result["to"]), {})[result["size"]] = _time(result)
        for (label, address), times in ways.items():
            rows.append((host, label, address, *(times.get(size, "") for size in sizes)))
    return rows


def _time(result):
    if not result["ok"]:
        return "LOST" if result["expect"] == "reachable" else "ANSWERED"
    return f"{result['rtt_avg']:.1f}" if result["rtt_avg"] is not None else "cut off, as wanted"


def _closing(view, sent):
    table = view.link["acp_table"]
    servers = list(view.looked_at("server"))
    packets = sum(result["sent"] for results in sent.values() for result in results)
    answered = sum(result["received"] for results in sent.values() for result in results)
    lines = [f"{answered} of {packets} packets were answered."] if packets else []
    if servers:
        count = len(servers)
        lines.append(
            f"ACP table: {table['rows']} Clients, {table['acps']} ACPs, "
            f"sha256 {table['sha256'][:16]}, looked at on {count} Server{'s' if count > 1 else ''}."
        )
    roles = ("relay", "server", "client")
    skipped = [
        name
        for name, host in sorted(view.link["hosts"].items())
        if host["role"] in roles and name not in view.nodes
    ]
    if skipped:
        lines.append(f"Not checked, because this run was limited: {listed(skipped)}.")
    return lines
