# SPDX-License-Identifier: GPL-3.0-or-later
"""``[dhcp_authentication]``, the files of keys, and ``aerod --check`` on both."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerod.cli import run_aerod
from aerod.config import parse
from aerod.config_authentication import AuthenticationConfig, KeysError, read_keys
from aerod.wire.dhcpv6_authentication import client_key
from tests.unit.aerod.test_config import CLIENT, SERVER, errors_of

TABLE = '\n[dhcp_authentication]\nmode = "psk"\nkeys = "/etc/aero/dhcp_keys"\n'
MASTER, OTHER, SHORT = "11" * 32, "22" * 32, "33" * 16
DUID = "000200000009c1"


@pytest.fixture
def keys(tmp_path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# Written by somebody\n\n2 {MASTER}\n1 {OTHER}\n")
    return path


def mistakes(config: AuthenticationConfig, role: str = "server") -> list[str]:
    with pytest.raises(KeysError) as caught:
        read_keys(config, role)
    return caught.value.errors


@pytest.mark.parametrize("text", [SERVER, CLIENT])
def test_by_default_the_duid_is_enough(text):
    assert parse(text, "aerod.toml").authentication is None
    assert parse(text + '\n[dhcp_authentication]\nmode = "duid"\n', "aerod.toml").authentication is None


def test_a_server_and_a_client():
    single = TABLE + 'client_keys = "/etc/aero/client_keys"\n'
    configured = AuthenticationConfig(Path("/etc/aero/dhcp_keys"), Path("/etc/aero/client_keys"))
    assert parse(SERVER + single, "aerod.toml").authentication == configured
    assert parse(CLIENT + TABLE, "aerod.toml").authentication == AuthenticationConfig(Path("/etc/aero/dhcp_keys"))


@pytest.mark.parametrize(
    "text,named",
    [
        (SERVER.replace("server", "relay") + TABLE, "dhcp_authentication is not known"),
        (CLIENT + TABLE + 'client_keys = "/x"', "dhcp_authentication.client_keys is not known"),
        (CLIENT + TABLE.replace("psk", "none"), "dhcp_authentication.mode = 'none': must be one of duid, psk"),
        (CLIENT + TABLE.replace("psk", "duid"), "dhcp_authentication.keys = '/etc/aero/dhcp_keys': is of no use"),
        (CLIENT + TABLE.replace("/etc", "etc"), "dhcp_authentication.keys = 'etc/aero/dhcp_keys': must be the abs"),
        (CLIENT + '\n[dhcp_authentication]\nmode = "psk"\n', "dhcp_authentication.keys is missing"),
    ],
)
def test_mistakes(text, named):
    errors = errors_of(text)
    assert any(error.startswith(f"aerod.toml: {named}") for error in errors), errors


def test_master_secrets(keys):
    found = read_keys(AuthenticationConfig(keys), "server")
    duid = bytes.fromhex(DUID)
    assert found.ids == (2, 1)
    assert found.secret_of(duid, 2) == client_key(bytes.fromhex(MASTER), duid)
    assert found.secret_of(duid, 3) is None


def test_a_clients_key(keys):
    found = read_keys(AuthenticationConfig(keys), "client")
    assert (found.newest.id, found.newest.secret) == (2, bytes.fromhex(MASTER))
    assert found.own_secret(1) == bytes.fromhex(OTHER)


def test_keys_of_single_clients(keys, tmp_path):
    singles = tmp_path / "client_keys"
    singles.write_text(f"{DUID} 5 {SHORT}\n000200 6 {SHORT}\n{DUID} 6 {OTHER}\n")
    found = read_keys(AuthenticationConfig(keys, singles), "server")
    duid = bytes.fromhex(DUID)
    assert [found.secret_of(duid, n) for n in (5, 6)] == [bytes.fromhex(SHORT), bytes.fromhex(OTHER)]
    assert found.secret_of(duid, 2) is None
    assert found.secret_of(b"\0\2other", 2) is not None


@pytest.mark.parametrize(
    "role,text,wrong",
    [
        ("server", "", "there is no key in it"),
        ("server", f"1 {SHORT}\n", "line 1: the secret must be hex digits for at least 32 bytes"),
        ("client", "1 1234\n", "line 1: the secret must be hex digits for at least 16 bytes"),
        ("client", "\n1 something-secret\n", "line 2: the secret must be hex digits"),
        ("client", f"x {MASTER}\n", "line 1: the ID must be a whole number"),
        ("client", f"4294967296 {MASTER}\n", "line 1: the ID must be a whole number"),
        ("client", f"{MASTER}\n", "line 1: must be: ID SECRET"),
        ("client", f"1 {MASTER} more\n", "line 1: must be: ID SECRET"),
        ("server", f"1 {MASTER}\n1 {OTHER}\n", "there is more than one key with ID 1"),
    ],
)
def test_files_that_are_no_good(tmp_path, role, text, wrong):
    """One line that says where and what, and never shows the secret."""
    path = tmp_path / "keys"
    path.write_text(text)
    (error,) = mistakes(AuthenticationConfig(path), role)
    assert error.startswith(str(path)) and wrong in error
    assert not any(secret in error for secret in (MASTER, OTHER, SHORT, "1234", "something"))


def test_unreadable(tmp_path):
    assert mistakes(AuthenticationConfig(tmp_path / "none")) == [
        f"{tmp_path}/none: cannot be read: No such file or directory"
    ]
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert mistakes(AuthenticationConfig(tmp_path / "binary")) == [f"{tmp_path}/binary: cannot be read: not a text"]


def test_check_reads_the_keys_too(tmp_path, keys, capsys):
    config = tmp_path / "aerod.toml"
    config.write_text(SERVER + TABLE.replace("/etc/aero/dhcp_keys", str(tmp_path / "none")))
    assert run_aerod(["--check", str(config)]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/none: cannot be read: No such file or directory\n"
    # Before either is in its place.
    assert run_aerod(["--check", str(config), "--keys", str(keys)]) == 0
    keys.write_text("1 2\n")
    assert run_aerod(["--check", str(config), "--keys", str(keys)]) == 1
    assert "line 1: the secret must be" in capsys.readouterr().err


def test_check_reads_the_keys_of_single_clients_too(tmp_path, keys, capsys):
    config, singles = tmp_path / "aerod.toml", tmp_path / "client_keys"
    arguments = ["--check", str(config), "--keys", str(keys), "--client-keys", str(singles)]
    config.write_text(SERVER + TABLE)
    assert run_aerod(arguments) == 0, "the file is not there yet, and named by nobody"
    config.write_text(f'{SERVER}{TABLE}client_keys = "{tmp_path}/none"\n')
    singles.write_text(f"{DUID} 5 {SHORT}\n")
    assert run_aerod(arguments) == 0
    singles.write_text("5 5\n")
    assert run_aerod(arguments) == 1
    assert "line 1: must be: DUID ID SECRET" in capsys.readouterr().err
