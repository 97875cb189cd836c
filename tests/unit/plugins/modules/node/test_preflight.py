# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight: one line for each thing a host lacks, told on a made-up host."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.aero.link.plugins.module_utils import _preflight
from ansible_collections.aero.link.plugins.module_utils._preflight import Host, problems

UDP_8060 = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "  1: 0B7100CB:1F7C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2\n"
)
TCP_179 = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "  0: 00000000:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1\n"
    "  1: 00000000:1F7C 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4713 1\n"
)


class FakeHost(Host):
    """A good host in a directory, to be spoilt by tests."""

    nftables = True
    free = 5000

    def __init__(self, root) -> None:
        super().__init__(str(root))
        self.path = root
        self.found = {
            "eth0": {"mtu": 1500, "addresses": ["203.0.113.11", "fd00:ae::11"], "failed": []},
            "eun0": {"mtu": 1500, "addresses": [], "failed": []},
        }
        self.write("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n')
        for path in ("run/systemd/system", "dev/net/tun", "proc/net/if_inet6"):
            self.write(path, "")
        for scope in ("all", "default"):
            self.write(f"proc/sys/net/ipv6/conf/{scope}/disable_ipv6", "0\n")

    def write(self, path: str, text: str) -> None:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def start(self, pid: int, name: str, command: str, inode: int | None = None) -> None:
        self.write(f"proc/{pid}/comm", name + "\n")
        self.write(f"proc/{pid}/cmdline", command.replace(" ", "\0"))
        (self.path / f"proc/{pid}/fd").mkdir()
        if inode:
            (self.path / f"proc/{pid}/fd/3").symlink_to(f"socket:[{inode}]")

    def interfaces(self):
        return self.found

    def speaks_nftables(self):
        return self.nftables

    def free_mb(self, path):
        return self.free


@pytest.fixture
def host(tmp_path):
    return FakeHost(tmp_path)


def found(host, role: str | None = "server", eun="", check_mode=False, dhcp="kea", dns=None) -> list[str]:
    underlays = [{"interface": "eth0", "addresses": ["203.0.113.11", "FD00:AE:0::11"]}]
    params = {"role": role, "port": 8060, "underlays": underlays, "eun_interface": eun, "free_mb": 100}
    return problems(host, {**params, "dhcp_backend": dhcp, "dns_backend": dns}, check_mode)


def test_a_good_host_has_no_problems(host):
    assert found(host) == []
    assert found(host, role="client", eun="eun0") == []


def test_distribution(host):
    host.write("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 11"\nID=debian\nVERSION_ID="11"\n')
    (host.path / "run/systemd/system").unlink()
    assert found(host) == [
        "the distribution is Debian GNU/Linux 11, needed is Debian 12 or later",
        "the host is not run by systemd",
    ]
    host.write("etc/os-release", "PRETTY_NAME=Arch\nID=arch\n")
    assert "the distribution is Arch" in found(host)[0]


def test_kernel(host):
    (host.path / "dev/net/tun").unlink()
    host.write("proc/sys/net/ipv6/conf/default/disable_ipv6", "1\n")
    host.nftables = False
    assert found(host) == [
        "/dev/net/tun is missing (modprobe tun)",
        "net.ipv6.conf.default.disable_ipv6 is 1, IPv6 must be on",
        "the kernel has no nftables (modprobe nf_tables)",
    ]
    (host.path / "proc/net/if_inet6").unlink()
    assert "the kernel runs without IPv6" in found(host)


def test_interfaces(host):
    host.found["eth0"] = {"mtu": 1200, "addresses": ["fd00:ae:0::11"], "failed": ["fd00:ae::11"]}
    assert found(host, eun="eun9") == [
        "aero_underlays[0]: eth0 has MTU 1200, needed is 1280 or more",
        "aero_underlays[0]: eth0 does not have the address 203.0.113.11 (it has fd00:ae:0::11)",
        "aero_underlays[0]: FD00:AE:0::11 on eth0 is in use by another host (duplicate address)",
        "aero_eun_interface: there is no interface 'eun9' (there are eth0, eun0)",
    ]
    del host.found["eth0"]
    assert found(host) == ["aero_underlays[0]: there is no interface 'eth0' (there are eun0)"]


def test_ports_of_others(host):
    """Our own programs may hold their ports; a connection over a port holds nothing."""
    host.write("proc/net/udp", UDP_8060)
    host.write("proc/net/tcp6", TCP_179)
    host.start(1, "python3", "/usr/bin/python3 /usr/lib/aero/aerod.pyz aerod", 4711)
    host.start(2, "bgpd", "/usr/lib/frr/bgpd", 4712)
    host.start(3, "curl", "curl", 4713)
    assert found(host) == ["tcp port 179 is in use by 'bgpd', it is needed for bird"]
    assert found(host, role="client") == []
    host.start(4, "iperf", "iperf", 4711)
    assert found(host, role="client") == ["udp port 8060 is in use by 'iperf', it is needed for aerod"]


def test_configurations_of_others(host):
    host.start(5, "bird", "/usr/sbin/bird")
    assert found(host) == [], "a file that was removed is nobody's"
    host.write("etc/bird/bird.conf", "router id 192.0.2.1;\n")
    assert found(host) == [
        "bird runs here with a configuration that is not ours, /etc/bird/bird.conf would be replaced: "
        "take another host, or remove that file if nobody needs it"
    ]
    assert found(host, role="client") == []
    host.write("etc/bird/bird.conf", "# Written by aero.link, role server\n")
    assert found(host) == []


def test_name_servers_of_others(host):
    """Also one of the other kind, which leaves no port; without it there is room."""
    host.start(6, "named", "/usr/sbin/named")
    host.write("etc/bind/named.conf", 'include "/etc/bind/named.conf.local";\n')
    assert found(host) == []
    assert found(host, role=None, dns="bind") == [
        "named runs here with a configuration that is not ours, /etc/bind/named.conf would be replaced: "
        "take another host, or remove that file if nobody needs it"
    ]
    assert found(host, role=None, dns="knot") == []
    host.write("proc/net/udp", UDP_8060.replace(":1F7C", ":0035"))
    (host.path / "proc/6/fd/3").symlink_to("socket:[4711]")
    in_use = (
        "udp port 53 is in use by 'named' with a configuration that is not ours, it is needed for knotd: "
        "take another host, or stop it if nobody needs it"
    )
    assert found(host, role="relay", dns="knot") == [in_use]
    host.write("etc/bind/named.conf", "// Written by aero.link, role dns\n")
    assert found(host, dns="bind") == found(host, dns="knot") == []


def test_a_name_server_alone_needs_nothing_of_a_node(host):
    host.found = {}
    host.nftables = False
    (host.path / "dev/net/tun").unlink()
    assert found(host, role=None, dns="bind") == []
    host.write("etc/os-release", "PRETTY_NAME=Arch\nID=arch\n")
    assert len(found(host, role=None, dns="bind")) == 1


@pytest.mark.parametrize(
    ("backend", "process", "ours", "harm"),
    [
        (
            "kea_postgresql",
            "postgres",
            "etc/systemd/system/postgresql@.service.d/aero.conf",
            "its settings would be changed and it would be restarted",
        ),
        (
            "isc",
            "dhcpd",
            "etc/systemd/system/aero-dhcpd.service",
            "Debian's isc-dhcp-server would not start any more",
        ),
    ],
)
def test_daemons_of_others_that_a_back_end_needs(host, backend, process, ours, harm):
    host.start(7, process, f"/usr/bin/{process}")
    assert found(host) == [] and found(host, role="client", dhcp=backend) == []
    assert found(host, dhcp=backend) == [
        f"{process} runs here and is not ours, {harm}: set another aero_dhcp_backend, or stop it if nobody needs it"
    ]
    host.write(ours, "# Written by aero.link\n")
    assert found(host, dhcp=backend) == []


def test_resources(host, monkeypatch):
    host.free = 99
    monkeypatch.setattr(_preflight.time, "gmtime", lambda: type("Time", (), {"tm_year": 1970}))
    monkeypatch.setattr(_preflight.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(_preflight.importlib.util, "find_spec", lambda name: None)
    lines = found(host, check_mode=True)
    assert [line for line in lines if "MB" in line] == [
        "only 99 MB are free below /usr, needed are 100",
        "only 99 MB are free below /var, needed are 100",
    ]
    assert any("is Python 3.9, needed is 3.11 or later" in line for line in lines)
    assert any("python3-apt" in line for line in lines)
    assert "the clock says it is the year 1970" in lines


def test_a_real_socket_has_this_process_as_its_holder():
    """Against the real /proc, whatever the kernel's format is."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as held:
        held.bind(("::1", 0))
        host = Host()
        assert host.holders("udp", held.getsockname()[1]) == {host.process("self")}
