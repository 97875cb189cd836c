# SPDX-License-Identifier: GPL-3.0-or-later
"""radvd.conf(5) for the end user network."""

from __future__ import annotations

from aerod.address import Prefix
from aerod.eun.plan import Plan

# Seconds; radvd.conf(5) wants the lifetime no shorter than the interval.
_ROUTER_LIFETIME, _INTERVAL, _SHORTEST_INTERVAL = 1800, 600, 12
# radvd leaves a prefix out of its advertisements when a preferred lifetime it decrements is zero.
_PREFIX = """\
    prefix {prefix} {{
        AdvPreferredLifetime {preferred};
        AdvValidLifetime {valid};
        DecrementLifetimes {decrement};
    }};
"""


def is_needed(plan: Plan) -> bool:
    """Whether there is anything to advertise."""
    return bool(plan.deprecated) or any(not leased.subnet.is_ipv4 for leased in plan.current)


def render(interface: str, mtu: int, plan: Plan, now: float) -> str:
    """The file for ``plan``: a router only while it has a prefix that is not deprecated, and no longer."""
    current = [
        _prefix(leased.subnet, leased.preferred_until - now, leased.valid_until - now)
        for leased in plan.current
        if not leased.subnet.is_ipv4
    ]
    deprecated = [_prefix(subnet, 0, until - now) for subnet, until in sorted(plan.deprecated.items())]
    left = max((leased.valid_until - now for leased in plan.current if not leased.subnet.is_ipv4), default=0)
    lifetime = int(min(_ROUTER_LIFETIME, left))
    interval = max(_SHORTEST_INTERVAL, min(_INTERVAL, lifetime // 3)) if current else _INTERVAL
    return (
        f"interface {interface} {{\n"
        "    AdvSendAdvert on;\n"
        f"    MaxRtrAdvInterval {interval};\n"
        f"    AdvDefaultLifetime {max(lifetime, interval) if current else 0};\n"
        f"    AdvLinkMTU {mtu};\n"
        f"{''.join(current + deprecated)}"
        "};\n"
    )


def _prefix(subnet: Prefix, preferred: float, valid: float) -> str:
    preferred, valid = max(0, int(preferred)), max(0, int(valid))
    return _PREFIX.format(
        prefix=subnet, preferred=min(preferred, valid), valid=valid, decrement="on" if preferred else "off"
    )
