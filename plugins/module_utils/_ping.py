# Copyright (c) the aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests by ping(8): the command line for one target and what its output says."""

from __future__ import annotations

import re

IPV4_HEADERS = 20 + 8
IPV6_HEADERS = 40 + 8
REPLY_TIMEOUT = 2

_COUNTS = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)
_REFUSALS = re.compile(r"^(?:From |\S*ping: )(.*)", re.MULTILINE)
_TIMES = re.compile(r"^rtt min/avg/max/mdev = ([\d.]+)/([\d.]+)/([\d.]+)/", re.MULTILINE)


def smallest_size(family):
    """The smallest IP packet, in bytes, that can carry an echo request of ``family`` (ipv4 or ipv6)."""
    return IPV4_HEADERS if family == "ipv4" else IPV6_HEADERS


def family_of(target):
    """The family a target names, or the one its destination is written in."""
    return target.get("family") or ("ipv6" if ":" in target["to"] else "ipv4")


def ping_command(target):
    """The argument list that sends ``target['count']`` IP packets of ``target['size']`` bytes."""
    family = family_of(target)
    command = [
        "ping", "-4" if family == "ipv4" else "-6", "-n",
        "-c", str(target["count"]),
        "-i", str(target["interval"]),
        "-W", str(REPLY_TIMEOUT),
        "-s", str(target["size"] - smallest_size(family)),
    ]  # fmt: skip
    if target["dont_fragment"]:
        command += ["-M", "do"]
    if target.get("from"):
        command += ["-I", target["from"]]
    return [*command, target["to"]]


def parse_ping(output, errors=""):
    """What ping wrote to its two outputs, as data.

    Packets sent and received, round trip times in milliseconds (``None`` without a reply), and the
    last thing it complained of, be it a router's refusal or the kernel's.
    """
    counts = _COUNTS.search(output)
    times = _TIMES.search(output)
    sent, received = (int(text) for text in counts.groups()) if counts else (0, 0)
    low, average, high = (float(text) for text in times.groups()) if times else (None, None, None)
    refusals = _REFUSALS.findall(output + errors)
    return {
        "sent": sent,
        "received": received,
        "rtt_min": low,
        "rtt_avg": average,
        "rtt_max": high,
        "error": refusals[-1] if refusals else "",
    }
