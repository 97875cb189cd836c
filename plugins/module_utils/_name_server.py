# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One authoritative name server: ask it what it has, send it updates, say in plain words what it refused."""

from __future__ import annotations

import socket
import struct
import time

from ansible_collections.aero.link.plugins.module_utils._rfc2136 import (
    DNSPYTHON_ERROR,
    MAX_MESSAGE,
    RRset,
    existence_message,
    fits,
    update_message,
)

if DNSPYTHON_ERROR is None:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype
    import dns.tsig

MAX_DATAGRAM = 1232  # what passes everywhere without fragments; anything longer goes by TCP

MEANING = {
    "FORMERR": "it does not understand the message",
    "SERVFAIL": "it could not do it, its log says why",
    "NOTIMP": "it does not take dynamic updates",
    "REFUSED": "its policy does not let the key do this",
    "NOTAUTH": "it is not the primary server of the zone",
    "NOTZONE": "a name is outside the zone",
}
PREREQUISITES = {"YXDOMAIN", "YXRRSET", "NXDOMAIN", "NXRRSET"}


class ServerError(Exception):
    """The server was not reached, or refused; the message names server and reason."""


class NameServer:
    """A connection to one server, opened when first needed.

    `key` is a dns.tsig.Key or None; with a key all messages are signed and all answers verified.
    `protocol` udp sends what fits into a datagram by UDP, the rest by TCP. `timeout` is in seconds, for each
    message. All methods raise ServerError.
    """

    def __init__(self, address, port=53, protocol="tcp", timeout=10.0, key=None):
        self.address, self.port = address, port
        self._protocol, self._timeout, self._key = protocol, timeout, key
        self._stream = None

    def __str__(self):
        return f"{self.address} port {self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._close()

    # Reading

    def zone_of(self, name):
        """The zone of this server that holds `name`, or None if there is none."""
        ancestor = name
        while True:
            response = self._ask(ancestor, dns.rdatatype.SOA)
            if response.flags & dns.flags.AA:
                for rrset in response.answer + response.authority:
                    if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
                        return rrset.name
            if ancestor == dns.name.root:
                return None
            ancestor = ancestor.parent()

    def require_zone(self, zone):
        """Fail unless the server is authoritative for `zone`."""
        response = self._ask(zone, dns.rdatatype.SOA)
        if response.flags & dns.flags.AA and _find(response, zone, dns.rdatatype.SOA):
            return
        rcode = _rcode(response)
        raise ServerError(f"The name server {self} is not authoritative for the zone {zone} ({rcode}).")

    def read(self, rrsets):
        """What the server really has in the places of `rrsets`, as a list of RRset in the same order.

        What it makes up from wildcards does not count. A CNAME in the place of something else is an error.
        """
        asked = {rrset.key for rrset in rrsets}
        found, aliases = [], {}
        for rrset in rrsets:
            response = self._authoritative(rrset)
            found.append(rrset._replace(data=_find(response, rrset.name, rrset.rdtype)))
            cname = _find(response, rrset.name, dns.rdatatype.CNAME)
            alias = RRset(rrset.name, dns.rdatatype.CNAME, cname, rrset.zone)
            if cname is not None and alias.key not in asked:
                aliases[alias.key] = alias
        real = self._real([*found, *aliases.values()])
        conflicts = sorted(str(alias.name) for key, alias in aliases.items() if key in real)
        if conflicts:
            names = ", ".join(conflicts)
            raise ServerError(f"{names} is a CNAME at the name server {self} and can have no other records.")
        return [rrset if rrset.key in real else rrset._replace(data=None) for rrset in found]

    def _authoritative(self, rrset):
        response = self._ask(rrset.name, rrset.rdtype)
        rcode = _rcode(response)
        if rcode not in ("NOERROR", "NXDOMAIN") or not response.flags & dns.flags.AA:
            raise ServerError(f"The name server {self} has no authoritative answer for {rrset} ({rcode}).")
        for soa in response.authority:
            if soa.rdtype == dns.rdatatype.SOA and soa.name != rrset.zone:
                where = f"in the zone {soa.name}, not in {rrset.zone}"
                raise ServerError(f"At the name server {self} the name of {rrset} is {where}.")
        return response

    def _real(self, rrsets):
        """The keys of the RRsets that exist with exactly this data, and not only by way of a wildcard."""
        found = [rrset for rrset in rrsets if rrset.data is not None]
        real = set()
        for zone in {rrset.zone for rrset in found}:
            real |= self._real_in(zone, [rrset for rrset in found if rrset.zone == zone])
        return real

    def _real_in(self, zone, rrsets):
        message = existence_message(zone, rrsets)
        if fits(message):
            rcode = _rcode(self._exchange(message))
            if rcode == "NOERROR":
                return {rrset.key for rrset in rrsets}
            if rcode not in PREREQUISITES:
                raise self._refusal(zone, rcode)
            if len(rrsets) == 1:
                return set()
        half = len(rrsets) // 2
        return self._real_in(zone, rrsets[:half]) | self._real_in(zone, rrsets[half:])

    def _ask(self, name, rdtype):
        query = dns.message.make_query(name, rdtype)
        query.flags &= ~dns.flags.RD
        return self._exchange(query)

    # Writing

    def change(self, zone, changes):
        """Make all `changes` of `zone`, or none of them if the server has changed since it was read."""
        rcode = _rcode(self._exchange(update_message(zone, changes)))
        if rcode in PREREQUISITES:
            raise ServerError(
                f"The name server {self} changed nothing in the zone {zone} ({rcode}): somebody else"
                " changed a name after it was read, or a name that shall be a CNAME has other records."
            )
        if rcode != "NOERROR":
            raise self._refusal(zone, rcode)

    def _refusal(self, zone, rcode):
        key = f" (key {self._key.name})" if self._key else ""
        reason = f"{rcode}: {MEANING.get(rcode, 'no reason known')}"
        return ServerError(
            f"The name server {self} refused the update of the zone {zone}{key} with {reason}."
        )

    # Packets

    def _exchange(self, message):
        """Send a dns.message.Message and return the verified answer. Raises ServerError."""
        if self._key:
            message.use_tsig(self._key)
        wire = message.to_wire(max_size=MAX_MESSAGE)
        try:
            if self._protocol == "udp" and len(wire) <= MAX_DATAGRAM:
                answer = self._by_udp(wire)
                if answer[2] & 0x02:  # TC
                    answer = self._by_tcp(wire)
            else:
                answer = self._by_tcp(wire)
        except TimeoutError:
            raise ServerError(f"The name server {self} gave no answer within {self._timeout:g} s.") from None
        except (OSError, EOFError) as error:
            raise ServerError(f"The name server {self} cannot be reached: {error}.") from None
        return self._verified(message, answer)

    def _verified(self, message, answer):
        """Parse the answer to `message`; with a key also verify it (RFC 8945 section 5.4)."""
        key = self._key
        try:
            response = dns.message.from_wire(answer, keyring=key, request_mac=message.mac)
            if not message.is_response(response):
                raise ServerError(f"The name server {self} answered something else than what was asked.")
            if key and not response.had_tsig:
                raise dns.exception.FormError("it is not signed")
            return response
        except dns.tsig.PeerBadKey:
            # Knot answers like this to a key that it knows and that may not do this, too.
            reason = f"has no TSIG key {key.name} of algorithm {key.algorithm} that may do this (BADKEY)"
        except dns.tsig.PeerBadSignature:
            reason = f"has another secret for the TSIG key {key.name} (BADSIG)"
        except (dns.tsig.PeerBadTime, dns.tsig.BadTime):
            reason = f"rejects the signature's time (BADTIME): {_clock_skew(answer)}"
        except dns.tsig.PeerError as error:
            reason = f"rejects the signature: {error}"
        except (dns.exception.DNSException, ValueError) as error:
            response = _unsigned_refusal(answer)
            if response:
                return response
            reason = f"gave an answer that cannot be trusted: {error}"
        raise ServerError(f"The name server {self} {reason}.")

    def _by_udp(self, wire):
        found = socket.getaddrinfo(self.address, self.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _name, address = found[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.settimeout(self._timeout)
            sock.connect(address)
            sock.send(wire)
            while True:
                answer = sock.recv(MAX_MESSAGE)
                if len(answer) >= 12 and answer[:2] == wire[:2]:
                    return answer

    def _by_tcp(self, wire):
        fresh = self._stream is None
        try:
            return self._by_stream(wire)
        except (EOFError, ConnectionError):
            self._close()
            if fresh:
                raise
            # The server closed an idle connection. Prerequisites make it safe to send an update twice.
            return self._by_stream(wire)

    def _by_stream(self, wire):
        if self._stream is None:
            self._stream = socket.create_connection((self.address, self.port), self._timeout)
        self._stream.sendall(struct.pack("!H", len(wire)) + wire)
        return self._receive(struct.unpack("!H", self._receive(2))[0])

    def _receive(self, length):
        data = b""
        while len(data) < length:
            part = self._stream.recv(length - len(data))
            if not part:
                raise EOFError("it closed the connection")
            data += part
        return data

    def _close(self):
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _find(response, name, rdtype):
    """The Rdataset with this owner and type among the answers, or None."""
    rrset = response.get_rrset(response.answer, name, dns.rdataclass.IN, rdtype)
    return rrset.to_rdataset() if rrset else None


def _rcode(response):
    return dns.rcode.to_text(response.rcode())


def _unsigned_refusal(answer):
    """The answer as a message if it is one that refuses and has no signature, else None.

    Servers refuse zones that they have not got before they look at the signature. To believe it does no harm.
    """
    try:
        response = dns.message.from_wire(answer)
    except (dns.exception.DNSException, ValueError):
        return None
    return response if _rcode(response) in MEANING else None


def _clock_skew(answer):
    """How far the clocks are apart. A BADTIME answer ends in the server's time (RFC 8945 section 5.2.3)."""
    if answer[-8:-6] != b"\0\6":
        return "the clocks of server and client are too far apart"
    ahead = int.from_bytes(answer[-6:], "big") - int(time.time())
    return f"the server's clock is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} the clock here"
