# SPDX-License-Identifier: GPL-3.0-or-later
"""A Client that is no node of the lab: it speaks from the namespace of the spare host, which is on the core."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.lab.door import ROOT, in_namespace, on_node

SERVERS = {"s1": "203.0.113.11", "s2": "203.0.113.12"}
HERE = "203.0.113.13"
SECRET = ROOT / ".lab/secrets/psk"


def command(own: str, server: str, request: dict) -> list[str]:
    program = (sys.executable, "-m", "tests.lab.dhcp_client")
    return in_namespace("s3", *program, own, SERVERS[server], json.dumps(request))


def ask(
    kind: str, duid: str, server: str = "s1", own: str = HERE, *, sign: bool = True, **request: object
) -> dict | None:
    """The answer of a Server, None for silence."""
    secret = {"secret": str(SECRET)} if sign else {}
    said = subprocess.run(
        command(own, server, {"type": kind, "duid": duid, **secret, **request}),
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode == 3:
        return None
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def prefixes(answer: dict | None) -> list[str]:
    assert answer is not None, "silence"
    return [prefix for ia in answer["ias"].values() for prefix in ia["prefixes"]]


def get(duid: str, server: str = "s1", **request: object) -> dict:
    """A lease, by rapid commit."""
    answer = ask("solicit", duid, server, rapid_commit=True, **request)
    assert answer and answer["type"] == "reply" and prefixes(answer), answer
    return answer


def release(answer: dict, duid: str, *acps: str, server: str = "s1", own: str = HERE) -> None:
    named = {str(iaid): acp for iaid, acp in enumerate(acps, start=1)}
    assert ask("release", duid, server, own, server_id=answer["server_id"], ias=named)["type"] == "reply"


def has_route(node: str, acp: str) -> bool:
    family = "-6" if ":" in acp else "-4"
    return bool(json.loads(on_node(node, f"ip -j {family} route show exact {acp}") or "[]"))
