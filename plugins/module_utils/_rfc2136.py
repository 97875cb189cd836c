# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) The aero.link developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RRsets as an operator writes them, what must change, and the RFC 2136 messages that change it.

Nothing here sends a packet; _name_server.py does. Names are dns.name.Name and always absolute.
"""

from __future__ import annotations

import base64
import hashlib
import traceback
from typing import NamedTuple

try:
    import dns.exception
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdataset
    import dns.rdatatype
    import dns.rdtypes.ANY.TXT
    import dns.tsig
    import dns.update

    DNSPYTHON_ERROR = None
except ImportError:
    DNSPYTHON_ERROR = traceback.format_exc()

ALGORITHMS = ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"]
MAX_TTL = 2**31 - 1  # RFC 2181 section 8
MAX_MESSAGE = 65535


class RecordError(ValueError):
    """What was asked for cannot be in a zone; the message says which record, and why."""


class RRset(NamedTuple):
    """One RRset: `data` is a dns.rdataset.Rdataset, or None for an RRset that does not exist.

    `zone` is the zone that holds it, None as long as nobody asked the server.
    """

    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    data: dns.rdataset.Rdataset | None
    zone: dns.name.Name | None = None

    @property
    def key(self):
        """What tells RRsets apart."""
        return self.name, self.rdtype

    @property
    def type_text(self):
        """The type as in a zone file."""
        return dns.rdatatype.to_text(self.rdtype)

    def __str__(self):
        return f"{self.name} {self.type_text}"


class Change(NamedTuple):
    """An RRset that is not as wanted. Same name, type and zone in both; None as data means absent."""

    before: RRset
    after: RRset

    @property
    def action(self):
        """V(create), V(change) or V(delete)."""
        if self.before.data is None:
            return "create"
        return "change" if self.after.data is not None else "delete"


def absolute_name(text):
    """Read a domain name; it is absolute with or without the final dot. Raises RecordError."""
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise RecordError(f"'{text}' is no domain name: {error}") from None


def tsig_key(name, secret, algorithm):
    """The TSIG key (RFC 8945) that signs every message. Raises RecordError."""
    try:
        return dns.tsig.Key(absolute_name(name), base64.b64decode(secret, validate=True), algorithm)
    except ValueError:
        raise RecordError(f"The secret of the TSIG key {name} is not base64.") from None


def parse_records(records, default_zone=None, default_ttl=3600):
    """The list of RRset that the option `records` describes. Raises one RecordError with all mistakes."""
    wanted, errors = {}, []
    for number, record in enumerate(records):
        try:
            rrset = _parse_record(record, default_zone, default_ttl)
            if rrset.key in wanted:
                raise RecordError(f"{rrset} is given twice, an RRset is one record with all its values")
            wanted[rrset.key] = rrset
        except RecordError as error:
            errors.append(f"records[{number}]: {error}")
    errors += _cname_errors(wanted.values())
    if errors:
        raise RecordError("; ".join(errors))
    return list(wanted.values())


def _parse_record(record, default_zone, default_ttl):
    name = absolute_name(record["name"])
    zone = record.get("zone") or default_zone
    zone = absolute_name(zone) if zone else None
    ttl = default_ttl if record.get("ttl") is None else record["ttl"]
    rdtype = _record_type(record["type"])
    if zone is not None and not name.is_subdomain(zone):
        raise RecordError(f"{name} is outside the zone {zone}")
    if zone == name and rdtype == dns.rdatatype.NS:
        raise RecordError(f"the NS records of the zone {zone} itself are not changed by updates")
    if record.get("state", "present") == "absent":
        return RRset(name, rdtype, None, zone)
    if not record.get("values"):
        raise RecordError(f"{name} {record['type']} has no values; an RRset without values is state=absent")
    return RRset(name, rdtype, _rdataset(record["values"], rdtype, ttl), zone)


def _record_type(text):
    try:
        rdtype = dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise RecordError(f"'{text}' is no record type") from None
    own = (dns.rdatatype.SOA, dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3)
    if dns.rdatatype.is_metatype(rdtype) or rdtype in own:
        raise RecordError(f"records of type {dns.rdatatype.to_text(rdtype)} are the server's own")
    return rdtype


def _rdataset(values, rdtype, ttl):
    if not 0 <= ttl <= MAX_TTL:
        raise RecordError(f"the TTL {ttl} is not between 0 and {MAX_TTL}")
    if dns.rdatatype.is_singleton(rdtype) and len(values) > 1:
        raise RecordError(f"a {dns.rdatatype.to_text(rdtype)} has one value")
    data = dns.rdataset.Rdataset(dns.rdataclass.IN, rdtype, ttl=ttl)
    for value in values:
        try:
            data.add(dns.rdata.from_text(dns.rdataclass.IN, rdtype, value, dns.name.root, relativize=False))
        except (dns.exception.DNSException, ValueError) as error:
            raise RecordError(f"'{value}' is no {dns.rdatatype.to_text(rdtype)} record: {error}") from None
    return data


def _cname_errors(rrsets):
    """A CNAME has no company (RFC 1034 3.6.2). Servers skip such records in silence (RFC 2136 3.4.2.2)."""
    present = [rrset for rrset in rrsets if rrset.data is not None]
    aliases = {rrset.name for rrset in present if rrset.rdtype == dns.rdatatype.CNAME}
    return [
        f"{rrset} cannot be beside the CNAME of the same name"
        for rrset in present
        if rrset.name in aliases and rrset.rdtype != dns.rdatatype.CNAME
    ]


def plan(wanted, current):
    """The list of Change that turns `current` into `wanted`, two lists of RRset in the same order."""
    return [
        Change(before, after)
        for before, after in zip(current, wanted, strict=True)
        if not same(before.data, after.data)
    ]


def same(one, other):
    """Whether two Rdatasets (or None) have the same values and TTL."""
    # Rdatasets compare without their TTL.
    return one == other and (one is None or one.ttl == other.ttl)


def update_message(zone, changes):
    """One RFC 2136 transaction: all changes, or none if one RRset is no more what `before` says.

    Deletions come first, so a CNAME can give way to other records and the other way round.
    """
    message = dns.update.UpdateMessage(zone)
    leaving = {before.name for before, _after in changes if before.data is not None}
    for before, after in changes:
        if before.data is not None:
            message.present(before.name, *before.data)
        elif after.rdtype == dns.rdatatype.CNAME and after.name not in leaving:
            message.absent(before.name)
        else:
            message.absent(before.name, before.rdtype)
    for before, _after in changes:
        if before.data is not None:
            message.delete(before.name, before.rdtype)
    for _before, after in changes:
        if after.data is not None:
            message.add(after.name, after.data)
    return message


def existence_message(zone, rrsets):
    """An update that changes nothing and fails if one of the RRsets does not exist with exactly these values.

    A query cannot tell an RRset from one made up from a wildcard (RFC 4592), a prerequisite can
    (RFC 2136 section 2.4.2).
    """
    message = dns.update.UpdateMessage(zone)
    for rrset in rrsets:
        message.present(rrset.name, *rrset.data)
    return message


def transactions(zone, changes, size=MAX_MESSAGE):
    """Split `changes` of one zone into lists that fit a message of `size` bytes: one, nearly always.

    Changes of one name stay together. The order is kept.
    """
    if fits(update_message(zone, changes), size):
        return [changes]
    half = len(changes) // 2
    borders = [i for i in range(1, len(changes)) if changes[i].after.name != changes[i - 1].after.name]
    if not borders:
        raise RecordError(f"{changes[0].after} does not fit into one message of {size} bytes")
    border = min(borders, key=lambda i: abs(i - half))
    return transactions(zone, changes[:border], size) + transactions(zone, changes[border:], size)


def fits(message, size=MAX_MESSAGE):
    """Whether the message, once signed, is at most `size` bytes."""
    try:
        # What a signature adds: two names, the hash, the fixed fields (RFC 8945 section 4.2).
        return len(message.to_wire(max_size=MAX_MESSAGE)) + 640 <= size
    except dns.exception.TooBig:
        return False


# The registry: one TXT RRset that lists what was published, so that what is not wanted any more can be found.
# Each string is "name TYPE digest"; the digest keeps us from deleting what somebody else has put there since.


def registry_rrset(name, zone, wanted):
    """The TXT RRset `name` that lists the RRsets of `wanted` that shall exist."""
    entries = sorted(f"{rrset} {digest(rrset.data)}" for rrset in wanted if rrset.data is not None)
    if any(len(entry) > 255 for entry in entries):
        raise RecordError(f"{max(entries, key=len)} is too long for the registry {name}")
    if not entries:
        return RRset(name, dns.rdatatype.TXT, None, zone)
    # One record of many strings: servers limit how many records an RRset has (BIND: 100).
    strings = [entry.encode("ascii") for entry in entries]
    record = dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
    return RRset(name, dns.rdatatype.TXT, dns.rdataset.from_rdata(0, record), zone)


def stale_rrsets(registry, wanted):
    """What the registry lists and `wanted` does not: a list of (RRset to delete, digest it must have)."""
    known = {rrset.key for rrset in wanted}
    stale = []
    for entry in (entry for record in registry.data or () for entry in record.strings):
        try:
            name, rdtype, expected = entry.decode("ascii").split(" ")
            rrset = RRset(absolute_name(name), dns.rdatatype.from_text(rdtype), None)
        except (ValueError, dns.exception.DNSException):
            raise RecordError(f"The registry {registry} has an entry that is none: {entry!r}") from None
        if rrset.key not in known:
            stale.append((rrset, expected))
    return stale


def digest(data):
    """A short hash of the values of an Rdataset, whatever their order and TTL."""
    values = sorted(record.to_digestable() for record in data)
    return hashlib.sha256(b"\0".join(values)).hexdigest()[:8]
