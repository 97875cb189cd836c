# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, bridges and cables.  All of it lives in namespaces; the machine's own one stays as it is."""

from __future__ import annotations

from plan import Link, Plan
from system import NETNS, PREFIX, Changes, ip_json, netns_path, run

SWITCH = f"{PREFIX}switch"


def _existing_namespaces() -> set[str]:
    return {entry["name"] for entry in ip_json("netns", "list") if entry["name"].startswith(PREFIX)}


def _link_names(namespace: str) -> dict[str, str | None]:
    """Return interface names with their MAC addresses."""
    return {link["ifname"]: link.get("address") for link in ip_json("-netns", namespace, "link", "show")}


def _add_namespace(name: str) -> None:
    run("ip", "netns", "add", name)
    run("ip", "-netns", name, "link", "set", "dev", "lo", "up")
    if name == SWITCH:
        # A switch is no host: without this its bridges would configure addresses by SLAAC.
        run("ip", "netns", "exec", name, "sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1")


def _add_bridge(network: str) -> None:
    # Without a querier a snooping bridge would sooner or later lose neighbor discovery.
    bridge = ("type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
    run("ip", "-netns", SWITCH, "link", "add", network, *bridge)
    run("ip", "-netns", SWITCH, "link", "set", "dev", network, "up")


def _add_cable(link: Link) -> None:
    namespace = f"{PREFIX}{link.owner}"
    run("ip", "-netns", namespace, "link", "delete", "dev", link.name, check=False)
    run("ip", "-netns", SWITCH, "link", "delete", "dev", link.port, check=False)
    near = (link.name, "netns", namespace, "address", link.mac or "", "type", "veth")
    run("ip", "link", "add", *near, "peer", "name", link.port, "netns", SWITCH)
    run("ip", "-netns", SWITCH, "link", "set", "dev", link.port, "master", link.network or "", "up")


def build(plan: Plan, changes: Changes) -> set[str]:
    """Make what is missing; return the owners that got a new namespace or cable."""
    existing = _existing_namespaces()
    touched = {name for name in plan.namespaces if netns_path(name).name not in existing}
    for name in (SWITCH, *(netns_path(name).name for name in plan.namespaces)):
        if name not in existing:
            changes.make(f"add namespace {name}", lambda name=name: _add_namespace(name))

    ports = _link_names(SWITCH) if SWITCH in existing else {}
    for network in plan.networks:
        if network not in ports:
            changes.make(f"add bridge {network}", lambda network=network: _add_bridge(network))

    ends = {name: _link_names(netns_path(name).name) for name in plan.namespaces if name not in touched}
    for link in plan.links:
        if link.port not in ports or ends.get(link.owner, {}).get(link.name) != link.mac:
            changes.make(f"plug {link.port} into {link.network}", lambda link=link: _add_cable(link))
            touched.add(link.owner)
    return touched


def remove(changes: Changes) -> None:
    """Take down every namespace of the lab; interfaces go with them."""
    for name in sorted(_existing_namespaces()):
        changes.make(f"delete namespace {name}", lambda name=name: run("ip", "netns", "delete", name))
    # `ip netns add` makes the directory a mount; it may stay only if others use it.
    if NETNS.is_dir() and not any(NETNS.iterdir()) and NETNS.is_mount():
        changes.make(f"unmount {NETNS}", lambda: run("umount", str(NETNS)))
