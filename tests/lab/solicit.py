# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a Server for a prefix as a Client with any DUID: solicit.py OWN_ADDRESS SERVER_ADDRESS DUID_HEX.

Prints one JSON object: the status code of the IA_PD in the answer (null without one) and the
prefixes granted.  Exit 3 when no answer comes within five seconds.
"""

import json
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT  # noqa: E402 - found by the line above
from aerod.wire import dhcpv6, ip, udp  # noqa: E402
from aerod.wire.dhcpv6_options import IAPD, ClientId, ElapsedTime, IAPrefix, RapidCommit, StatusCode  # noqa: E402

own, server, duid = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
options = (ClientId(duid), ElapsedTime(0), RapidCommit(), IAPD(1))
message = dhcpv6.pack(dhcpv6.Message(dhcpv6.SOLICIT, 0xAE50, options))
segment = udp.build_udp(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, dhcpv6.CLIENT_PORT, dhcpv6.SERVER_PORT, message)
packet = ip.build_ipv6(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, ip.UDP, segment)

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as underlay:
    underlay.bind((own, 8060))
    underlay.settimeout(5)
    underlay.sendto(packet, (server, 8060))
    try:
        answer = underlay.recv(65535)
    except TimeoutError:
        sys.exit(3)
header = ip.parse_ip(answer)
datagram = udp.parse_udp(header.source, header.destination, answer[header.payload_offset :])
ia_pd = dhcpv6.unpack(datagram.payload).find(IAPD)
status = ia_pd.find(StatusCode)
print(
    json.dumps(
        {
            "status": status.status if status else None,
            "prefixes": [str(prefix.acp) for prefix in ia_pd.find_all(IAPrefix) if prefix.valid],
        }
    )
)
