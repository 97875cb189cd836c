# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemons and tools print, as data. The texts in captured/ are of BIRD 2.0.12 in two namespaces."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
from ansible_collections.aero.link.plugins.module_utils import _back_end_kea as kea
from ansible_collections.aero.link.plugins.module_utils import _node_facts_bird as bird
from ansible_collections.aero.link.plugins.module_utils import _node_facts_linux as linux
from ansible_collections.aero.link.plugins.module_utils._node_facts_aerod import (
    Aerod,
    AerodError,
    drop_counters,
    leased_prefixes,
)

CAPTURED = Path(__file__).parent / "captured"


@pytest.fixture
def serve(tmp_path):
    """Starts a server on a UNIX socket that answers each line with what ``answer(line)`` gives; its path."""
    listeners = []

    def start(answer, greeting=b""):
        path = str(tmp_path / "socket")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listeners.append(listener)

        def converse():
            connection, _address = listener.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(greeting)
                for line in lines:
                    connection.sendall(answer(line))

        threading.Thread(target=converse, daemon=True).start()
        return path

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def ask_bird(serve):
    """Asks a BIRD that was captured."""

    def ask(name):
        replies = {b"restrict\n": b"0016 Access restricted\n", b"show\n": (CAPTURED / name).read_bytes()}
        connection = bird.Bird(serve(replies.__getitem__, b"0001 BIRD 2.0.12 ready.\n"))
        assert connection.version == "2.0.12"
        return connection.ask("show")

    return ask


def test_sessions_of_a_relay(ask_bird):
    """One that is up, with its routes of both families, and one that is not; the rest are no sessions."""
    up, down = bird.parse_sessions(ask_bird("bird_relay_protocols.txt"))
    assert up.pop("since")[:6] == "03:07:"
    assert up == {
        "name": "s1", "neighbor": "fe80::b", "asn": 4200000011, "state": "Established",
        "imported": 2, "exported": 0, "error": "",
    }  # fmt: skip
    assert (down["name"], down["neighbor"], down["state"]) == ("s2", "fe80::c", "Connect")


def test_sessions_of_a_server(ask_bird):
    """A Server exports its Clients' prefixes."""
    (session,) = bird.parse_sessions(ask_bird("bird_server_protocols.txt"))
    assert (session["neighbor"], session["imported"], session["exported"]) == ("fe80::1", 0, 2)


def test_the_error_of_a_session_that_went_down():
    """And the time with a date, as BIRD shows older ones."""
    text = (
        "s1         BGP        ---        start  2026-11-22 03:07:49  Active        Received: shutdown\n"
        "  BGP state:          Active\n"
        "    Neighbor address: fe80::b%aero0\n"
        "    Neighbor AS:      4200000011\n"
        "    Last error:       Received: Administrative shutdown\n"
    )
    (session,) = bird.parse_sessions(text)
    assert session["error"] == "Received: Administrative shutdown"
    assert session["since"] == "2026-11-22 03:07:49"


def test_filtered_routes_do_not_hide_the_counts():
    """With `import keep filtered` BIRD prints a third number."""
    text = "s1  BGP --- up 03:07:23.926 Established\n    Routes:         5 imported, 3 filtered, 7 exported\n"
    (session,) = bird.parse_sessions(text)
    assert (session["imported"], session["exported"]) == (5, 7)


def test_a_route(ask_bird):
    """The best route with its AS path and next hop."""
    assert bird.parse_routes(ask_bird("bird_route.txt")) == [
        {"session": "s1", "type": "unicast", "best": True, "as_path": [4200000011], "via": "fe80::b",
         "interface": "aero0"}
    ]  # fmt: skip


def test_a_second_best_and_an_unreachable_route():
    """The prefix stands only in the first line; a route without next hop keeps none."""
    text = (
        "Table master6:\n"
        "2001:db8:1::/56      unicast [s1 03:07:25.069] * (100) [AS64512 4200000011i]\n"
        "\tvia fe80::b on aero0\n"
        "                     unicast [s2 03:07:25.069] (100) [AS4200000012i]\n"
        "\tvia fe80::c on aero0\n"
        "                     unreachable [asp6 03:07:23.056] (200)\n"
    )
    routes = bird.parse_routes(text)
    assert [(r["session"], r["best"], r["via"]) for r in routes] == [
        ("s1", True, "fe80::b"), ("s2", False, "fe80::c"), ("asp6", False, ""),
    ]  # fmt: skip
    assert routes[0]["as_path"] == [64512, 4200000011]


def test_a_network_that_bird_does_not_have(ask_bird):
    """No route is no error."""
    assert ask_bird("bird_route_none.txt") == ""


def test_a_refusal_and_an_absent_bird_are_errors(serve, tmp_path):
    """The text says which."""
    replies = {b"restrict\n": b"0016 Access restricted\n", b"configure\n": b"8007 Access denied\n"}
    connection = bird.Bird(serve(replies.__getitem__, b"0001 BIRD 2.0.12 ready.\n"))
    with pytest.raises(bird.BirdError, match="Access denied"):
        connection.ask("configure")
    with pytest.raises(bird.BirdError, match="No such file"):
        bird.Bird(str(tmp_path / "nothing"))


def test_kea_answers_and_refuses(tmp_path):
    """Arguments and text of an answer; a refusal is an error with Kea's words."""
    replies = [{"result": 0, "arguments": {"reload": 5}, "text": "ok"}, {"result": 1, "text": "unknown"}]
    path = str(tmp_path / "kea")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(2)

        def answer():
            for reply in replies:
                connection, _address = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(json.dumps(reply).encode())

        threading.Thread(target=answer, daemon=True).start()
        assert kea.ask_kea(path, "status-get") == ({"reload": 5}, "ok")
        with pytest.raises(kea.KeaError, match="unknown"):
            kea.ask_kea(path, "nonsense")


def test_aerod_answers_and_refuses(serve):
    """One JSON object a line; a refusal and a dead daemon are errors."""
    replies = iter([b'{"ok": true, "result": {"version": "1"}}\n', b'{"ok": false, "error": "unknown"}\n'])
    requests = []
    aerod = Aerod(serve(lambda line: (requests.append(json.loads(line)), next(replies))[1]))
    assert aerod.ask("status") == {"version": "1"}
    with pytest.raises(AerodError, match="unknown"):
        aerod.ask("neighbors", kind="static", limit=5)
    assert requests[1] == {"command": "neighbors", "kind": "static", "limit": 5}


def test_only_drops_that_happened_are_shown():
    """The reason alone is the key."""
    assert drop_counters({"received": 9, "drop_source": 3, "drop_size": 0}) == {"source": 3}


def test_prefixes_of_several_leases_are_one_list():
    """Two Servers lease the same prefixes."""
    lease = {"prefixes": [{"prefix": "2001:db8:2000::/64"}]}
    assert leased_prefixes([lease, lease]) == ["2001:db8:2000::/64"]


LINKS = [
    {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "mtu": 65536, "addr_info": [
        {"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"},
        {"family": "inet6", "local": "2001:db8:2000::", "prefixlen": 128, "scope": "global"}]},
    {"ifname": "aero0", "flags": ["POINTOPOINT", "UP", "LOWER_UP"], "mtu": 65479, "addr_info": [
        {"family": "inet6", "local": "fe80::b", "prefixlen": 64, "scope": "link"}]},
    {"ifname": "eth0", "flags": ["UP"], "mtu": 1500, "addr_info": [
        {"family": "inet6", "local": "2001:db8::7", "prefixlen": 64, "scope": "global", "deprecated": True},
        {"family": "inet6", "local": "2001:db8::8", "prefixlen": 64, "scope": "global", "tentative": True}]},
]  # fmt: skip


def test_interface_and_addresses():
    """An interface without carrier is not up; addresses that cannot be used now are left out."""
    assert linux.interface_facts(LINKS, "aero0") == {
        "name": "aero0", "present": True, "up": True, "mtu": 65479, "addresses": ["fe80::b/64"],
    }  # fmt: skip
    assert not linux.interface_facts(LINKS, "eth0")["up"]
    assert not linux.interface_facts(LINKS, "aero1")["present"]
    assert linux.global_addresses(LINKS) == [{"interface": "lo", "address": "2001:db8:2000::", "length": 128}]


def test_next_hops_of_routes():
    """The same key for a gateway and for an IPv6 next hop of an IPv4 route."""
    routes = [
        {"dst": "2001:db8:1::/56", "gateway": "fe80::b", "dev": "aero0", "protocol": "bird", "metric": 32},
        {"dst": "198.51.100.32/28", "via": {"family": "inet6", "host": "fe80::b"}, "dev": "aero0"},
        {"type": "unreachable", "dst": "2001:db8::/32", "dev": "lo"},
    ]
    assert [(fact["type"], fact["via"]) for fact in linux.route_facts(routes)] == [
        ("unicast", "fe80::b"), ("unicast", "fe80::b"), ("unreachable", ""),
    ]  # fmt: skip


def test_answers_of_a_batch():
    """One JSON value for each command, whatever stands between them."""
    assert linux.parse_json_stream('[{"dst":"a"}]\n[]\n\n[ ]\n') == [[{"dst": "a"}], [], []]
    assert linux.parse_json_stream("") == []


def test_units():
    """A unit that is not installed is left out."""
    text = (
        "Id=aerod.service\nLoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=2\nMainPID=77\n"
        "\n"
        "Id=bird.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nNRestarts=0\nMainPID=0\n"
    )
    assert linux.parse_units(text) == {
        "aerod": {"state": "active", "sub_state": "running", "restarts": 2, "pid": 77}
    }


def test_memory_and_processor_time():
    """Proportional set size in kB; the share of a core since the start, in spite of a name with blanks."""
    assert linux.parse_pss("Rss:  30000 kB\nPss:              20480 kB\nPss_Dirty: 1 kB\n") == 20480
    fields = ["S", *["0"] * 10, "150", "50", *["0"] * 5, "1", "0", "100000", "0"]
    fields[19] = "90000"
    assert linux.cpu_percent(f"77 (aerod (x) y) {' '.join(fields)}", "1000.00 1.0", 100) == 2.0


def test_the_hash_of_the_firewall_tells_rules_apart():
    """No table is told from an empty one."""
    assert linux.firewall_facts(None) == {"present": False, "rules_hash": ""}
    one, other = linux.firewall_facts("table inet aero {}"), linux.firewall_facts("table inet aero { x }")
    assert one["present"] and one["rules_hash"] != other["rules_hash"]
