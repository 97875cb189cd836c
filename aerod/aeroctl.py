# SPDX-License-Identifier: GPL-3.0-or-later
"""``aeroctl``: ask the running aerod, and show its answers as tables or JSON."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RUN_DIR = "/run/aero"
_TIMEOUT = 30.0  # seconds
_AT_ONCE = 1000  # prefixes of a recall in one request


class ControlError(Exception):
    """aerod cannot be asked, or refused; the text says what to do."""


def main(arguments: list[str]) -> int:
    """Run ``aeroctl``; returns 0, or 1 when there is no answer."""
    options = _parser().parse_args(arguments)
    request = {key: value for key, value in vars(options).items() if key in _ARGUMENTS and value is not None}
    try:
        with connect(Path(options.socket)) as connection:
            if options.command == "recall":
                _recall(connection, sys.stdin.read().split(), options.json)
            else:
                _run(connection, request, options.json)
    except ControlError as error:
        print(f"aeroctl: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    return 0


_ARGUMENTS = ("command", "address", "kind", "limit", "stop")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aeroctl", description="Ask the aerod of this node.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="JSON instead of tables")
    common.add_argument("--socket", default=f"{RUN_DIR}/aerod.sock", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common])

    add("status", "what this node is and how it does")
    neighbors = add("neighbors", "the neighbor cache")
    neighbors.add_argument("--kind", choices=("permanent", "static", "dynamic"), help="only these")
    neighbors.add_argument("--limit", type=int, default=1000, help="at most so many (default %(default)s)")
    add("leases", "the leases of a Client, or the Clients of a Server with their prefixes")
    add("counters", "packets, drops with their reasons, errors")
    add("lookup", "where packets for an address go").add_argument("address", help="an IPv4 or IPv6 address")
    redirects = add("redirects", "at a Client: where it sends straight to, and why not elsewhere")
    redirects.add_argument("address", nargs="?", help="only what there is to say about this address")
    add("capabilities", "at a Client: destinations that are on other AERO links, as the DNS told")
    move = add("move", "at a Client: change the primary Server")
    move.add_argument("address", nargs="?", help="an address of the new Server; default: any other")
    drain = add("drain", "at a Server: ask the Clients to leave, and take no new ones")
    drain.add_argument("--stop", action="store_true", default=None, help="take Clients again")
    add("recall", "at a Server: take back prefixes, read from stdin, whose leases have been ended")
    add("damping", "at a Server: prefixes that are announced late, as they came and went too often")
    add("watch", "at a Client: the prefixes, now and at each change")
    add("release", "at a Client: give all leases back, until aerod is restarted")
    return parser


def connect(path: Path) -> socket.socket:
    """Connect to the control socket at ``path``; ControlError says why not."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_TIMEOUT)
    try:
        connection.connect(str(path))
    except PermissionError:
        raise ControlError(f"no permission for {path}: be root or in the group aero") from None
    except OSError as error:
        hint = "is it running? See: systemctl status aerod"
        raise ControlError(f"aerod does not answer at {path} ({error.strerror}); {hint}") from None
    return connection


def _run(connection: socket.socket, request: dict[str, Any], as_json: bool) -> None:
    connection.sendall(json.dumps(request).encode() + b"\n")
    if request["command"] == "watch":
        connection.settimeout(None)
    with connection.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            if request["command"] == "watch":
                print(line.rstrip() if as_json else _event(answer), flush=True)
                continue
            if not answer["ok"]:
                raise ControlError(answer["error"])
            result = answer["result"]
            print(json.dumps(result, indent=2) if as_json else _SHOW[request["command"]](result))
            return
    raise ControlError("aerod hung up; see: journalctl -u aerod")


def _recall(connection: socket.socket, prefixes: list[str], as_json: bool) -> None:
    """Send the prefixes in requests that aerod takes, and show the sum of the answers."""
    total: Counter[str] = Counter(prefixes=0, clients=0)
    with connection.makefile("rw", encoding="utf-8") as lines:
        for start in range(0, len(prefixes), _AT_ONCE):
            request = {"command": "recall", "prefixes": prefixes[start : start + _AT_ONCE]}
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            answer = json.loads(lines.readline() or '{"ok": false, "error": "aerod hung up"}')
            if not answer["ok"]:
                raise ControlError(answer["error"])
            total.update(answer["result"])
    print(json.dumps(total, indent=2) if as_json else _recalled(total))


# Showing answers


def _table(headings: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Columns as wide as their widest cell."""
    cells = [headings, *(tuple("-" if cell in (None, "") else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{max(0, value):.0f} s"


def _ago(epoch: float) -> str:
    return f"{max(0, time.time() - epoch):.0f} s"


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _status(status: dict[str, Any]) -> str:
    interface = status["interface"]
    counts = status["neighbors"]
    lines = [
        ("node", f"{status['name']}, {status['role']}, aerod {status['version']}, engine {status['engine']}"),
        ("AERO addresses", ", ".join(status["link_local"]) or "none yet"),
        ("interface", f"{interface['name']}, {'up' if interface['up'] else 'DOWN'}"),
        ("running for", _ago(status["started"])),
        ("neighbors", ", ".join(f"{count} {kind}" for kind, count in counts.items())),
        ("ACPs", status["routes"]),
    ]
    if status["relay"]:
        relay = status["relay"]
        lines.append(("default Relay", f"fe80::{relay['id']:x} {relay.get('name') or ''}"))
    if status["primary"]:
        lines.append(("primary Server", status["primary"]))
    if status.get("save_error"):
        lines.append(("NOT SAVED", f"{status['save_error']}; a restart now would lose what was learned"))
    if status.get("draining"):
        lines.append(("draining", "Clients are asked to leave, new ones are not taken"))
    if status.get("authentication"):
        lines.append(("DHCPv6 keys", _keys(status["authentication"])))
    for underlay in status["underlays"]:
        place = f"underlay {underlay['link_id']}"
        lines.append((place, f"{underlay['interface']}: {', '.join(underlay['addresses'])}"))
    if not status["underlays"]:
        lines.append(("underlays", "none is usable: interface down or without its address"))
    width = max(len(name) for name, _value in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def _keys(authentication: dict[str, Any]) -> str:
    by_key = authentication.get("clients_by_key")
    if by_key is None:
        return ", ".join(map(str, authentication["keys"]))
    ids = dict.fromkeys([*map(str, authentication["keys"]), *by_key])
    return ", ".join(f"{key_id} ({by_key.get(key_id, 0)} Clients)" for key_id in ids)


def _neighbors(neighbors: list[dict[str, Any]]) -> str:
    return _table(
        ("KIND", "ADDRESS", "NAME", "PREFIXES", "LINK-LAYER ADDRESSES", "EXPIRES IN", "ACCEPT", "FORWARD"),
        (
            (
                neighbor["kind"],
                neighbor["link_local"],
                neighbor["name"],
                " ".join(neighbor["prefixes"]),
                " ".join(_endpoint(link["address"], link["port"]) for link in neighbor["links"]),
                _seconds(neighbor["expires_in"]),
                _seconds(neighbor["accept_in"]) if "accept_in" in neighbor else None,
                _seconds(neighbor["forward_in"]) if "forward_in" in neighbor else None,
            )
            for neighbor in neighbors
        ),
    )


def _leases(leases: list[dict[str, Any]]) -> str:
    if leases and "client" in leases[0]:
        return _table(
            ("CLIENT", "PREFIXES", "VALID FOR"),
            ((lease["client"], " ".join(lease["prefixes"]), _seconds(lease["valid_in"])) for lease in leases),
        )
    return _table(
        ("SERVER", "AT", "STATE", "PREFIX OR REASON", "PREFERRED FOR", "VALID FOR", "RENEW IN", "SEEN AS"),
        (
            (
                lease["server"],
                _endpoint(lease["server_address"], lease["server_port"]),
                lease["state"],
                prefix["prefix"] if prefix else lease.get("status"),
                prefix and _seconds(prefix["preferred_in"]),
                prefix and _seconds(prefix["valid_in"]),
                None if lease["renew_in"] is None else _seconds(lease["renew_in"]),
                lease["seen_as"] and _endpoint(lease["seen_as"]["address"], lease["seen_as"]["port"]),
            )
            for lease in leases
            for prefix in lease["prefixes"] or [None]
        ),
    )


def _counters(counters: dict[str, int]) -> str:
    return _table(("COUNTER", "VALUE"), counters.items())


def _lookup(found: dict[str, Any]) -> str:
    neighbor = found["neighbor"]
    line = f"{found['address']}: {found['target']}, by {found['prefix'] or 'no prefix'}"
    return f"{line}\n{_neighbors([neighbor])}" if neighbor else line


def _redirects(redirects: list[dict[str, Any]]) -> str:
    return _table(
        ("DESTINATION", "FROM", "DIRECT", "VIA", "SINCE", "WHY NOT"),
        (
            (
                row["destination"],
                row["source"],
                "yes" if row["direct"] else "no",
                row["via"],
                None if row["since_ago"] is None else _seconds(row["since_ago"]),
                row["reason"],
            )
            for row in redirects
        ),
    )


def _capabilities(capabilities: list[dict[str, Any]]) -> str:
    return _table(
        ("PREFIX", "AERO LINK", "FOR"),
        (
            (
                row["prefix"],
                "asking" if row["waiting"] else row["domain"] or "none",
                _seconds(row["expires_in"]),
            )
            for row in capabilities
        ),
    )


def _move(result: dict[str, Any]) -> str:
    return f"moving from {result['from']} to {result['to']}; see: aeroctl leases"


def _drain(result: dict[str, Any]) -> str:
    return f"asking {result['clients']} Clients to leave" if result["draining"] else "taking Clients again"


def _recalled(result: dict[str, Any]) -> str:
    return f"recalling {result['prefixes']} prefixes of {result['clients']} Clients; see: aeroctl leases"


def _damping(held: list[dict[str, Any]]) -> str:
    return _table(
        ("PREFIX", "CLIENT", "CAME AND WENT", "ANNOUNCED IN"),
        (
            (row["prefix"], row["client"], f"{row['ended']} times", _seconds(row["announced_in"]))
            for row in held
        ),
    )


def _event(event: dict[str, Any]) -> str:
    now = time.time()
    prefixes = (f"{p['prefix']} for {_seconds(p['valid_until'] - now)}" for p in event.get("prefixes", []))
    return f"{time.strftime('%H:%M:%S')}  {', '.join(prefixes) or 'no prefix'}"


def _release(result: dict[str, Any]) -> str:
    return f"released at {result['servers']} Servers"


_SHOW: dict[str, Callable[[Any], str]] = {
    "status": _status,
    "neighbors": _neighbors,
    "leases": _leases,
    "counters": _counters,
    "lookup": _lookup,
    "move": _move,
    "drain": _drain,
    "damping": _damping,
    "redirects": _redirects,
    "capabilities": _capabilities,
    "release": _release,
}
