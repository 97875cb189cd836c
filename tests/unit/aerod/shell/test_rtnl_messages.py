# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes as the kernel gets them: what is written by hand is read back, by pyroute2 too."""

from __future__ import annotations

import pytest
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from aerod.address import Prefix, parse_address
from aerod.shell.rtnl_messages import (
    AERO_TABLE,
    NEWROUTE,
    UNREACHABLE,
    Route,
    read_route,
    request,
    route_message,
)

ACP6, ACP4 = Prefix.parse("2001:db8:1:2::/64"), Prefix.parse("198.51.100.32/28")
RELAY, ROUTER = parse_address("fe80::1"), parse_address("203.0.113.62")


def written(route: Route) -> bytes:
    return request(NEWROUTE, 0, 7, route_message(route))


@pytest.mark.parametrize(
    "route",
    [
        Route(ACP6, 3, metric=1024),
        Route(ACP4, 3, metric=1024),
        Route(ACP4, 3, RELAY, AERO_TABLE),
        Route(Prefix.parse("0.0.0.0/0"), 3, ROUTER, protocol=4),
        Route(Prefix.parse("::/0"), 3, RELAY, AERO_TABLE, 7, source=parse_address("2001:db8:1:2::1")),
        Route(Prefix.parse("2001:db8:1::/52"), None, type=UNREACHABLE),
    ],
    ids=str,
)
def test_read_back(route):
    assert read_route(written(route)) == route


def test_as_pyroute2_has_it():
    """Scope and metrics are nothing that we read ourselves; 253 is RT_SCOPE_LINK."""
    message = rtmsg(written(Route(ACP4, 3, metric=1024, mtu=1280)))
    message.decode()
    assert message["header"]["length"] == len(message.data) and message["scope"] == 253
    assert message["dst_len"] == 28 and message.get_attr("RTA_DST") == "198.51.100.32"
    assert message.get_attr("RTA_OIF") == 3 and message.get_attr("RTA_PRIORITY") == 1024
    assert message.get_attr("RTA_METRICS").get_attr("RTAX_MTU") == 1280
    via = rtmsg(written(Route(ACP4, 3, RELAY)))
    via.decode()
    assert via["scope"] == 0 and via.get_attr("RTA_VIA")["addr"] == "fe80::1"
