# SPDX-License-Identifier: GPL-3.0-or-later
"""The address plan of the lab, as the inventory gives it (``lab_networks`` and so on)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface

# An interface name has at most 15 characters (IFNAMSIZ); a switch port is called OWNER.LINK.
NAME_LIMIT = 15


@dataclass(frozen=True)
class Link:
    """One interface; ``addresses`` have a prefix length, ``dhcp`` is the metric of the default route."""

    owner: str
    name: str
    network: str | None
    mac: str | None
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    dhcp: int | None
    slaac: bool
    lease: tuple[str, str] | None
    advertise: bool

    @property
    def port(self) -> str:
        """The name of the other end, in the switch."""
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True)
class Router:
    """A plain network namespace: links, static routes, and what it filters."""

    name: str
    links: tuple[Link, ...]
    routes: tuple[str, ...]
    masquerade: str | None
    access: tuple[str, ...]
    underlay: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Networks (one bridge each), systemd nodes and routers."""

    networks: tuple[str, ...]
    nodes: dict[str, tuple[Link, ...]]
    routers: dict[str, Router]
    resolver: str
    domain: str
    image: str
    repository: str
    authorized_keys: str

    @property
    def links(self) -> list[Link]:
        """All links that are plugged into the switch."""
        of_routers = [link for router in self.routers.values() for link in router.links]
        of_nodes = [link for links in self.nodes.values() for link in links]
        return [link for link in of_routers + of_nodes if link.network]

    @property
    def namespaces(self) -> list[str]:
        """All namespaces but the switch's own."""
        return [*self.routers, *self.nodes]


def _links(owner: str, described: dict, networks: dict) -> tuple[Link, ...]:
    links = []
    for name, link in described.items():
        network = link.get("network")
        if network is not None and network not in networks:
            raise SystemExit(f"lab address plan: {owner} {name}: no network {network!r}")
        addresses = tuple(link.get("addresses", ()))
        versions = {ip_interface(address).version for address in addresses}
        gateways = (networks.get(network) or {}).get("gateways", ())
        own = {str(ip_interface(address).ip) for address in addresses}
        links.append(
            Link(
                owner=owner,
                name=name,
                network=network,
                mac=link.get("mac"),
                addresses=addresses,
                gateways=tuple(g for g in gateways if ip_interface(g).version in versions and g not in own),
                dhcp=link.get("dhcp"),
                slaac="slaac" in link,
                lease=tuple(link["lease"]) if "lease" in link else None,
                advertise=link.get("advertise", False),
            )
        )
        if network and len(links[-1].port) > NAME_LIMIT:
            raise SystemExit(f"lab address plan: {links[-1].port!r} has more than {NAME_LIMIT} characters")
    return tuple(links)


def parse(data: dict) -> Plan:
    """Return the plan in ``data``, which has the variables of the inventory without their prefix."""
    networks = data["networks"]
    return Plan(
        networks=tuple(networks),
        nodes={name: _links(name, links, networks) for name, links in data["nodes"].items()},
        routers={
            name: Router(
                name=name,
                links=_links(name, router["links"], networks),
                routes=tuple(router.get("routes", ())),
                masquerade=router.get("masquerade"),
                access=tuple(router.get("access", ())),
                underlay=tuple(router.get("underlay", ())),
            )
            for name, router in data["routers"].items()
        },
        resolver=data["resolver"],
        domain=data["domain"],
        image=data["image"],
        repository=data["repository"],
        authorized_keys=data["authorized_keys"],
    )
