# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a Server for a prefix as a Client with any DUID: solicit.py OWN SERVER DUID_HEX [SECRET_FILE].

OWN and SERVER are underlay addresses.  The message is signed with the key 1 that the DUID has by the
master secret in the file, or not at all.  Prints one JSON object: the status code of the IA_PD in the answer (null without one) and the
prefixes granted.  Exit 3 when no answer comes within five seconds.
"""

import json
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aerod.address import ALL_DHCP_AGENTS, UNASSIGNED_CLIENT, parse_address  # noqa: E402 - found by the line above
from aerod.wire import dhcpv6, dhcpv6_authentication, ip, udp  # noqa: E402
from aerod.wire.dhcpv6_options import IAPD, ClientId, ElapsedTime, IAPrefix, RapidCommit, StatusCode  # noqa: E402

own, server, duid, *secret_file = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), *sys.argv[4:]
options = (ClientId(duid), ElapsedTime(0), RapidCommit(), IAPD(1))
message = dhcpv6.Message(dhcpv6.SOLICIT, 0xAE50, options)
if secret_file:
    master = bytes.fromhex(Path(*secret_file).read_text())
    key = dhcpv6_authentication.Key(1, dhcpv6_authentication.client_key(master, duid))
    replay = int((time.time() + dhcpv6_authentication.NTP_EPOCH) * dhcpv6_authentication.NTP_FRACTION)
    payload = dhcpv6_authentication.signed(message, key, parse_address(server), replay)
else:
    payload = dhcpv6.pack(message)
segment = udp.build_udp(UNASSIGNED_CLIENT, ALL_DHCP_AGENTS, dhcpv6.CLIENT_PORT, dhcpv6.SERVER_PORT, payload)
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
