# SPDX-License-Identifier: GPL-3.0-or-later
"""The authentication option by pre-shared keys, byte by byte (O-26)."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerod.address import parse_address
from aerod.wire import dhcpv6
from aerod.wire.dhcpv6 import Message, pack, unpack
from aerod.wire.dhcpv6_authentication import Key, Proof, client_key, made_for, proof_in, signed
from aerod.wire.dhcpv6_options import IAPD, Authentication, ClientId, RapidCommit, UnknownOption
from aerod.wire.errors import MalformedPacket

DUID = bytes.fromhex("000200000009c1")
SERVER = parse_address("198.51.100.11")
KEY = Key(7, bytes(range(32)))
REPLAY = 0xE1B2C3D4_80000000
SOLICIT = Message(dhcpv6.SOLICIT, 0x123456, (ClientId(DUID), RapidCommit(), IAPD(1)))


def test_bytes() -> None:
    """Code 11, length 47, protocol 254, algorithm 1, RDM 0, time, key ID, HMAC over label, address, message."""
    data = signed(SOLICIT, KEY, SERVER, REPLAY)
    head = pack(SOLICIT) + bytes.fromhex("000b 002f fe 01 00 e1b2c3d480000000 00000007")
    assert data[:-32] == head
    covered = b"aero-psk-1" + bytes.fromhex("00000000000000000000ffffc633640b") + head + bytes(32)
    assert data[-32:] == hmac.new(KEY.secret, covered, hashlib.sha256).digest()


def test_a_clients_key_follows_from_its_duid() -> None:
    master = bytes(range(100, 132))
    expected = hmac.new(master, b"aero-client-key-1" + DUID, hashlib.sha256).digest()
    assert client_key(master, DUID) == expected
    assert client_key(master, DUID + b"x") != expected


def test_an_old_proof_is_replaced() -> None:
    """A message is never signed twice."""
    once = unpack(signed(SOLICIT, KEY, SERVER, REPLAY))
    assert signed(once, KEY, SERVER, REPLAY) == pack(once)


@pytest.mark.parametrize(
    "option",
    [
        Authentication(3, 1, 0, 1, bytes(36)),
        Authentication(254, 2, 0, 1, bytes(36)),
        Authentication(254, 1, 1, 1, bytes(36)),
        Authentication(254, 1, 0, 1, bytes(35)),
        Authentication(254, 1, 0, 1, bytes(37)),
        Authentication(254, 1, 0, 1, b""),
    ],
)
def test_what_is_no_proof(option) -> None:
    """Another protocol, algorithm or RDM, another length."""
    assert proof_in(SOLICIT.with_options(option)) is None


def test_none_and_two_are_no_proof() -> None:
    option = Authentication(254, 1, 0, 1, bytes(36))
    assert proof_in(SOLICIT) is None
    assert proof_in(SOLICIT.with_options(option)) == Proof(0, 1, bytes(32))
    assert proof_in(SOLICIT.with_options(option, option)) is None


options = st.lists(
    st.one_of(
        st.builds(ClientId, st.binary(max_size=130)),
        st.builds(UnknownOption, st.integers(100, 65535), st.binary(max_size=40)),
        st.builds(IAPD, st.integers(0, 2**32 - 1)),
    ),
    max_size=6,
).map(tuple)
messages = st.builds(Message, st.integers(1, 11), st.integers(0, 2**24 - 1), options)
keys = st.builds(Key, st.integers(0, 2**32 - 1), st.binary(min_size=16, max_size=64))
addresses = st.binary(min_size=16, max_size=16)


@given(messages, keys, addresses, st.integers(0, 2**64 - 1))
def test_what_is_signed_is_right(message, key, server, replay) -> None:
    """Whatever the message, and wherever among other options the receiver finds the proof."""
    received = unpack(signed(message, key, server, replay))
    proof = proof_in(received)
    assert (proof.key_id, proof.replay) == (key.id, replay)
    assert made_for(received, proof, key.secret, (bytes(16), server)) is not None
    assert received.without(Authentication) == message


@given(st.data())
def test_one_changed_bit_is_noticed(data) -> None:
    """Of the type, of an option, of the time, of the key ID, of the HMAC itself."""
    good = signed(SOLICIT, KEY, SERVER, REPLAY)
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    changed = bytearray(good)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        received = unpack(changed)
    except MalformedPacket:
        return
    proof = proof_in(received) if isinstance(received, Message) else None
    assert proof is None or made_for(received, proof, KEY.secret, (SERVER,)) is None


def test_it_is_for_one_server() -> None:
    received = unpack(signed(SOLICIT, KEY, SERVER, REPLAY))
    other = parse_address("198.51.100.12")
    assert made_for(received, proof_in(received), KEY.secret, (other,)) is None
    assert made_for(received, proof_in(received), KEY.secret, (other, SERVER)) == SERVER


@given(st.binary(max_size=200))
def test_any_bytes(data) -> None:
    """A value or MalformedPacket, nothing else."""
    try:
        received = unpack(b"\x01abc" + b"\x00\x0b" + len(data).to_bytes(2, "big") + data)
    except MalformedPacket:
        return
    proof = proof_in(received)
    assert proof is None or made_for(received, proof, KEY.secret, (SERVER,)) is None
