# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in ``/etc/lab`` of a node; the image's lab-network.service reads it at each boot."""

from __future__ import annotations

import shutil
from pathlib import Path

from plan import Link, Plan
from system import RUN, Changes


def node_directory(name: str) -> Path:
    """Return the directory of a node's run-time files on the machine."""
    return RUN / name


def _network(links: tuple[Link, ...]) -> str:
    """Return a batch for ip(8)."""
    lines = []
    for link in links:
        lines.append(f"link set dev {link.name} up")
        for address in link.addresses:
            nodad = " nodad" if ":" in address else ""
            lines.append(f"address replace {address} dev {link.name}{nodad}")
        for gateway in link.gateways:
            default = "::/0" if ":" in gateway else "0.0.0.0/0"
            lines.append(f"route replace {default} via {gateway} dev {link.name}")
    return "".join(f"{line}\n" for line in lines)


def _sysctl(links: tuple[Link, ...]) -> str:
    return "".join(
        f"net.ipv6.conf.{link.name}.accept_ra = {int(link.slaac)}\n"
        f"net.ipv6.conf.{link.name}.autoconf = {int(link.slaac)}\n"
        for link in links
        if link.network
    )


def _files(plan: Plan, name: str) -> dict[str, str]:
    links = plan.nodes[name]
    files = {
        "network": _network(links),
        "sysctl": _sysctl(links),
        "hosts": f"127.0.0.1 localhost\n127.0.1.1 {name}.{plan.domain} {name}\n::1 localhost ip6-localhost\n",
        "resolv.conf": f"nameserver {plan.resolver}\nsearch {plan.domain}\n",
        "authorized_keys": plan.authorized_keys,
    }
    files.update({f"dhcp-{link.name}": f"METRIC={link.dhcp}\n" for link in links if link.dhcp is not None})
    return files


def write(plan: Plan, name: str, changes: Changes) -> bool:
    """Bring a node's ``/etc/lab`` up to date; return whether it must start anew for that."""
    directory = node_directory(name) / "etc"
    files = _files(plan, name)
    written = [changes.write(directory / file, content) for file, content in files.items()]
    stale = [path for path in directory.glob("*") if path.name not in files]
    for path in stale:
        changes.make(f"remove {path}", path.unlink)
    return any(written) or bool(stale)


def remove_all(changes: Changes) -> None:
    """Remove the run-time files of the lab."""
    if RUN.exists():
        changes.make(f"remove {RUN}", lambda: shutil.rmtree(RUN))
