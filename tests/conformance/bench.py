# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench: an underlay of network namespaces, and real aerods started in them.

    h1 - c1 --+                        +-- c2 - h2
              |                        |
     s1 - s2 -+-- u (a bridge) --------+-- r1     x (whoever a test wants to be)

Every name is a namespace of its own for each bench, so that any number of benches stand side by side.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.conformance.aerods import Aerods
from tests.conformance.capture import Capture, Frame
from tests.conformance.packets import AERO_PORT, NS
from tests.conformance.plan import H1, H1_V4, H2, H2_V4, HOSTS, NATIVE4, NATIVE6, NODES
from tests.namespaces import PATIENCE, inside, whole_packets

if TYPE_CHECKING:
    from tests.conformance.fakes import FakeBgp, FakeDhcp

__all__ = ["H1", "H2", "H1_V4", "H2_V4", "NATIVE4", "NATIVE6", "NODES", "Bench"]

benches: list[Bench] = []


class Bench(Aerods):
    """Namespaces, aerods and whatever else a test starts; ``destroy`` leaves nothing."""

    def __init__(
        self,
        family: int = 4,
        nodes: Iterable[str] = ("r1", "s1", "s2", "c1", "c2", "x", "h1", "h2"),
        mtu: int = 1500,
        eun_mtu: int = 1500,
    ) -> None:
        """``family`` is that of the underlay addresses used; the others are there as well.

        ``time_scale`` may be set before a start: the clocks of all aerods run so many times as fast.
        """
        super().__init__(tuple(nodes), family, eun_mtu)
        self.mtu = mtu
        self.bgp: FakeBgp | None = None
        self.dhcp: dict[str, FakeDhcp] = {}
        self._injectors: dict[tuple[str, str], socket.socket] = {}
        self._macs: dict[tuple[str, str], str] = {}
        self._closing = contextlib.ExitStack()
        benches.append(self)

    # Building

    def build(self) -> Bench:
        """Make the namespaces, without starting anything."""
        self.add("u", *self.nodes)
        self.ip("u", "link add br0 type bridge mcast_snooping 0", f"link set br0 mtu {self.mtu} up")
        for node in self.nodes:
            if node in NODES:
                self.attach(node, "eth0", NODES[node].v4, NODES[node].v6)
        for node in self.nodes:
            if node in HOSTS:
                self._attach_host(node)
        if "r1" in self.nodes:
            self.ip("r1", f"addr add {NATIVE4}/32 dev lo", f"addr add {NATIVE6}/128 dev lo")
        return self

    def attach(self, node: str, interface: str, v4: str = "", v6: str = "") -> None:
        """Put another interface of ``node`` on the underlay; in ``u`` it is ``v-node`` (eth0) or ``v-node-eth1``."""
        port = f"v-{node}" if interface == "eth0" else f"v-{node}-{interface}"
        self.ip("u", f"link add {port} mtu {self.mtu} type veth peer name {interface} netns {self.prefix}{node}",
                f"link set {port} master br0 up")  # fmt: skip
        whole_packets(self.prefix + node, interface)
        addresses = [f"addr add {v4}/24 dev {interface}"] if v4 else []
        addresses += [f"addr add {v6}/64 dev {interface} nodad"] if v6 else []
        self.ip(node, f"link set {interface} mtu {self.mtu} up", *addresses)

    def _attach_host(self, host: str) -> None:
        client, own6, router6, own4, router4 = HOSTS[host]
        self.ip(client, f"link add eth9 mtu {self.eun_mtu} type veth peer name eth0 netns {self.prefix}{host}",
                "link set eth9 up", f"addr add {router6} dev eth9 nodad", f"addr add {router4} dev eth9")  # fmt: skip
        self.ip(host, f"link set eth0 mtu {self.eun_mtu} up", f"addr add {own6} dev eth0 nodad", f"addr add {own4} dev eth0",
                f"route add default via {router4.split('/')[0]}",
                f"route add ::/0 via {router6.split('/')[0]}")  # fmt: skip
        whole_packets(self.prefix + client, "eth9")
        whole_packets(self.prefix + host, "eth0")

    def without(self, node: str, family: int) -> None:
        """Take the underlay addresses of a family from a Client that is not yet started."""
        self.run(node, "ip", f"-{family}", "addr", "flush", "dev", "eth0", "scope", "global")
        kept = NODES[node].v4 if family == 6 else NODES[node].v6
        self.configure(node, underlay=[{"interface": "eth0", "link_id": 0, "addresses": [kept]}])

    def insert_nat(self, node: str = "c1", public4: str = "198.51.100.50", public6: str = "fd00:a::32") -> None:
        """Move ``node`` behind a masquerading router ``nat``; before anything is started."""
        self._moved[node] = ("10.77.0.2", "fd77::2")
        self.add("nat")
        self.nodes += ("nat",)
        self.ip("u", f"link del v-{node}")
        self.attach("nat", "eth0", public4, public6)
        self.ip("nat", f"link add in0 type veth peer name eth0 netns {self.prefix}{node}", "link set in0 up",
                "addr add 10.77.0.1/24 dev in0", "addr add fd77::1/64 dev in0 nodad")  # fmt: skip
        self.ip(node, "link set eth0 up", "addr add 10.77.0.2/24 dev eth0", "addr add fd77::2/64 dev eth0 nodad",
                "route add default via 10.77.0.1", "route add ::/0 via fd77::1")  # fmt: skip
        whole_packets(self.prefix + node, "eth0")
        whole_packets(self.prefix + "nat", "in0")
        self.run("nat", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.run("nat", "nft", "-f", "-", given=(
            "table inet nat { chain out { type nat hook postrouting priority 100; oifname eth0 masquerade random; }; }"
        ))  # fmt: skip

    def destroy(self) -> None:
        """End all, remove all; AssertionError if a daemon met a mistake of its own."""
        self._closing.close()
        for injector in self._injectors.values():
            injector.close()
        logs = {node: self.log(node) for node in self.nodes}
        super().destroy()
        benches.remove(self)
        crashed = {node: log[log.index("Traceback") :][:3000] for node, log in logs.items() if "Traceback" in log}
        assert not crashed, crashed

    def closing(self, thing: Any) -> Any:
        """Have ``thing.close()`` called when the bench goes."""
        self._closing.callback(thing.close)
        return thing

    # Routes: what BGP would do

    def route(self, node: str, prefix: str, via: str, *more: str, verb: str = "replace") -> None:
        """A kernel route of the routing daemon, ``via`` the fe80::ID of a node."""
        family = "-6" if ":" in prefix else "-4"
        gateway = ("via", "inet6", NODES[via].link_local, "dev", "aero0", "proto", "bird")
        self.run(node, "ip", family, "route", verb, prefix, *gateway, *more)

    def _started(self, nodes: tuple[str, ...]) -> None:
        for node in nodes:
            if NODES[node].role == "server" and "r1" in self.nodes:
                for destination in ("::/0", "0.0.0.0/0"):
                    self.route(node, destination, "r1", "table", "8060")
        if "r1" in nodes and self.bgp is None:
            from tests.conformance.fakes import FakeBgp

            self.bgp = self.closing(FakeBgp(self))

    # Packets

    def capture(self, node: str = "u", interface: str | None = None, outgoing: bool = False) -> Capture:
        """Capture in the namespace of ``node``, until the end of the test; on ``u`` each frame once, with the node that sent it."""
        return Capture(self.prefix + node, interface, outgoing)

    def mac(self, node: str, interface: str = "eth0") -> str:
        (link,) = self.show(node, "link", "show", interface)
        return link["address"]

    def send_frame(self, node: str, target: str, packet: bytes, interface: str = "eth0", target_interface: str = "eth0") -> None:
        """Put an IP packet, as it is, on a wire of ``node``, for the card of ``target``."""
        key = (node, interface)
        if key not in self._injectors:
            with inside(self.prefix + node):
                made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                made.bind((interface, 0))
            self._injectors[key] = made
        for place in (key, (target, target_interface)):
            if place not in self._macs:
                self._macs[place] = self.mac(*place)
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
        header = Ether(src=self._macs[key], dst=self._macs[target, target_interface], type=kind)
        self._injectors[key].send(bytes(header) + packet)

    def inject(
        self,
        payload: bytes,
        source: str | tuple[str, int],
        target: str,
        *,
        by: str = "x",
        sport: int = AERO_PORT,
        dport: int = AERO_PORT,
        checksum: int | None = None,
        family: int | None = None,
        **outer: Any,
    ) -> None:
        """Send a UDP payload from ``x`` with a borrowed source: that of a node, or (address, port).

        ``outer`` sets fields of the outer IP header by scapy's names (ttl, tos, hlim, tc, fl, flags);
        ``checksum`` None is the right one, any number goes out as it is.
        """
        version = family or self.family
        if isinstance(source, tuple):
            address, sport = source
            version = 6 if ":" in address else 4
        else:
            address = self.address(source, version)
        udp = UDP(sport=sport, dport=dport, **({} if checksum is None else {"chksum": checksum}))
        ip = (IPv6 if version == 6 else IP)(src=address, dst=self.address(target, version), **outer)
        self.send_frame(by, target, bytes(ip / udp / Raw(payload)))

    def from_host(self, host: str, packet: bytes) -> None:
        """Send an inner packet, as it is, from a host behind a Client."""
        self.send_frame(host, HOSTS[host][0], packet, "eth0", "eth9")

    def ping(self, node: str, address: str, size: int = 64, *more: str, df: bool = True, count: int = 1) -> str:
        """The output of ping with packets of ``size`` bytes, IP header included."""
        payload = str(size - (48 if ":" in address else 28))
        fragmenting = "do" if df else "dont"
        command = ("ping", "-n", f"-c{count}", "-i0.2", "-W2", "-M", fragmenting, "-s", payload, *more, address)
        return self.run(node, *command, check=False)

    def pings(self, node: str, address: str, size: int = 64, *more: str, df: bool = True) -> bool:
        """Whether one echo is answered."""
        return " 1 received" in self.ping(node, address, size, *more, df=df)

    @contextlib.contextmanager
    def no_effect(self, node: str, capture: Capture, seconds: float = 2.0) -> Iterator[None]:
        """What is done inside changes nothing at ``node`` and brings nothing from it within ``seconds``.

        Neither on the underlay (``capture`` is of ``u``), nor in its cache, nor to its kernel's AERO interface.
        """

        def sent() -> list[Frame]:
            return capture.find(lambda f: f.node == node and (f.is_udp or f.protocol in (1, 4, 41)) and not _is_own_affair(f))

        def is_quiet() -> bool:
            capture.clear()
            time.sleep(0.3)
            return not sent()

        self.wait_for(is_quiet, 10, f"the end of what {node} was doing")
        short_lived = {row["link_local"] for row in self.neighbors(node) if (row["expires_in"] or 3600) < PATIENCE * (seconds + 5)}
        before = self.dump(node, short_lived)
        with Capture(self.prefix + node, "aero0") as up:
            capture.clear()
            yield
            time.sleep(seconds)
            assert not sent(), f"{node} sent {sent()[:5]}"
            assert not up.frames, f"{node} took {up.frames[:5]}"
        assert self.dump(node, short_lived) == before


def _is_own_affair(frame: Frame) -> bool:
    """Whether a node solicits a Server or Relay, speaks DHCPv6, or its kernel reports multicast groups, as they do by themselves."""
    return frame.dhcp is not None or frame.is_mld or frame.nd == NS and frame.inner.dst in {node.link_local for node in NODES.values() if node.id}
