# SPDX-License-Identifier: GPL-3.0-or-later
"""radvd.conf(5) for the end user network."""

from __future__ import annotations

from aerod.eun.plan import Plan

_ROUTER_LIFETIME = 1800  # seconds
_PREFIX = """\
    prefix {prefix} {{
        AdvPreferredLifetime {preferred};
        AdvValidLifetime {valid};
        DecrementLifetimes on;
    }};
"""


def is_needed(plan: Plan) -> bool:
    """Whether there is anything to advertise."""
    return bool(plan.deprecated) or any(not leased.subnet.is_ipv4 for leased in plan.current)


def render(interface: str, mtu: int, plan: Plan, now: float) -> str:
    """The file for ``plan``: a router only while it has a prefix that is not deprecated."""
    prefixes = [
        _PREFIX.format(
            prefix=leased.subnet,
            preferred=max(0, int(leased.preferred_until - now)),
            valid=max(0, int(leased.valid_until - now)),
        )
        for leased in plan.current
        if not leased.subnet.is_ipv4
    ]
    lifetime = _ROUTER_LIFETIME if prefixes else 0
    prefixes += [
        _PREFIX.format(prefix=subnet, preferred=0, valid=max(0, int(until - now)))
        for subnet, until in sorted(plan.deprecated.items())
    ]
    return (
        f"interface {interface} {{\n"
        "    AdvSendAdvert on;\n"
        f"    AdvDefaultLifetime {lifetime};\n"
        f"    AdvLinkMTU {mtu};\n"
        f"{''.join(prefixes)}"
        "};\n"
    )
