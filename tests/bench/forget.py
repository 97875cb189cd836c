# SPDX-License-Identifier: GPL-3.0-or-later
"""Have the NAT of this network namespace forget all its mappings; print when, in ns of the monotonic clock."""

from __future__ import annotations

import socket
import struct
import time

# linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h: a delete without a tuple empties the table.
NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE = 1, 2
NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK = 1, 4
_ERROR = struct.Struct("=IHHIIi")


def forget() -> None:
    """Empty the connection table; OSError if the kernel refuses."""
    kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE
    message = struct.pack("=IHHIIBBH", 20, kind, NLM_F_REQUEST | NLM_F_ACK, 1, 0, socket.AF_UNSPEC, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.send(message)
        error = _ERROR.unpack_from(kernel.recv(4096))[-1]
    if error:
        raise OSError(-error, "the connection table cannot be emptied")


if __name__ == "__main__":
    print(time.monotonic_ns())
    forget()
