# SPDX-License-Identifier: GPL-3.0-or-later
"""The namespaces that are no nodes: routers, the NAT, the management host."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import ip_interface, ip_network

from plan import Link, Plan, Router
from system import RUN, Changes, digest, in_netns, ip_json, netns_path, read_pid, run


def _ip_batch(router: Router) -> str:
    lines = []
    for link in router.links:
        lines.append(f"link set dev {link.name} up")
        for address in link.addresses:
            nodad = " nodad" if ":" in address else ""
            lines.append(f"address replace {address} dev {link.name}{nodad}")
    for link in router.links:
        for gateway in link.gateways:
            default = "::/0" if ":" in gateway else "0.0.0.0/0"
            lines.append(f"route replace {default} via {gateway} dev {link.name}")
    lines.extend(f"route replace {route}" for route in router.routes)
    return "".join(f"{line}\n" for line in lines)


def _ruleset(router: Router) -> str:
    chains = []
    if router.masquerade:
        chains.append(
            "  chain nat { type nat hook postrouting priority srcnat; "
            f'oifname "{router.masquerade}" masquerade; }}'
        )
    if router.access:
        interfaces = ", ".join(f'"{name}"' for name in router.access)
        ipv4 = ", ".join(prefix for prefix in router.underlay if ":" not in prefix)
        ipv6 = ", ".join(prefix for prefix in router.underlay if ":" in prefix)
        chains.append(
            "  chain bcp38 { type filter hook forward priority filter;\n"
            f"    iifname {{ {interfaces} }} ip saddr != {{ {ipv4} }} drop\n"
            f"    iifname {{ {interfaces} }} ip6 saddr != {{ {ipv6} }} drop\n"
            "  }"
        )
    body = "\n".join(chains)
    return f"table inet lab\ndelete table inet lab\ntable inet lab {{\n{body}\n}}\n"


def _dnsmasq_ranges(link: Link) -> list[str]:
    lines = []
    if link.lease:
        netmask = ip_network(ip_interface(link.addresses[0]).network).netmask
        lines.append(f"dhcp-range={link.lease[0]},{link.lease[1]},{netmask},1h")
    if link.advertise:
        prefix = next(ip_interface(address).network for address in link.addresses if ":" in address)
        lines.append(f"dhcp-range={prefix.network_address},ra-only,{prefix.prefixlen},1h")
        # Every 10 s, router lifetime 60 s: a node that lost its default route soon has it again.
        lines.append(f"ra-param={link.name},10,60")
    return lines


def _dnsmasq_configuration(router: Router) -> str:
    ranges = [line for link in router.links for line in _dnsmasq_ranges(link)]
    if not ranges:
        return ""
    common = ["port=0", "user=root", "enable-ra", "dhcp-authoritative", "no-ping", "quiet-dhcp", "quiet-ra"]
    files = [f"pid-file={RUN}/{router.name}.pid", f"dhcp-leasefile={RUN}/{router.name}.leases"]
    return "".join(f"{line}\n" for line in (*common, *files, *ranges))


def _applied(name: str) -> str:
    """The mark that :func:`_apply` leaves in the namespace once everything is in place."""
    namespace = netns_path(name)
    if not namespace.exists():
        return ""
    return ip_json("-netns", namespace.name, "link", "show", "dev", "lo")[0].get("ifalias", "")


def _apply(router: Router, mark: str) -> None:
    inside = ("ip", "netns", "exec", netns_path(router.name).name)
    run(*inside, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    run(*inside, "ip", "-batch", "-", stdin=_ip_batch(router))
    run(*inside, "nft", "-f", "-", stdin=_ruleset(router))
    run(*inside, "ip", "link", "set", "dev", "lo", "alias", mark)


def _stop_dnsmasq(name: str) -> None:
    pid = read_pid(RUN / f"{name}.pid")
    if not pid or not in_netns(pid, name):
        return
    os.kill(pid, signal.SIGTERM)
    while in_netns(pid, name):
        time.sleep(0.02)


def _start_dnsmasq(name: str) -> None:
    _stop_dnsmasq(name)
    run("ip", "netns", "exec", netns_path(name).name, "dnsmasq", f"--conf-file={RUN}/{name}.conf")


def configure(plan: Plan, touched: set[str], changes: Changes) -> None:
    """Configure the routers that are new, changed, or have lost their DHCP server."""
    for router in plan.routers.values():
        name = router.name
        mark = digest(_ip_batch(router), _ruleset(router))
        if name in touched or _applied(name) != mark:
            changes.make(f"configure {name}", lambda router=router, mark=mark: _apply(router, mark))
        configuration = _dnsmasq_configuration(router)
        if not configuration:
            continue
        rewritten = changes.write(RUN / f"{name}.conf", configuration)
        if rewritten or name in touched or not in_netns(read_pid(RUN / f"{name}.pid"), name):
            changes.make(f"start dnsmasq in {name}", lambda name=name: _start_dnsmasq(name))


def stop(changes: Changes) -> None:
    """Stop the DHCP servers."""
    for path in RUN.glob("*.pid"):
        changes.make(f"stop dnsmasq in {path.stem}", lambda name=path.stem: _stop_dnsmasq(name))
