# SPDX-License-Identifier: GPL-3.0-or-later
"""A real name server in a namespace of a bench, and the collection's own tools that fill it."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.conformance.bench import Bench
from tests.conformance.plan import NODES
from tests.namespaces import inside

REPOSITORY = Path(__file__).resolve().parents[2]
CAPABILITY_SUFFIX = "aero.linkupnetworks.net"
KEY, SECRET = "link", "bGluayBzZWNyZXQgb2YgdGhlIHRlc3Rz"

_CONFIG = """
options {{
  directory "{directory}"; pid-file none; session-keyfile none; listen-on {{ any; }}; listen-on-v6 {{ any; }};
  recursion no; dnssec-validation no; notify no; check-names primary ignore; querylog yes;
}};
controls {{ }};
key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};
"""
_ZONE = 'zone "{zone}" {{ type primary; file "{directory}/{zone}"; update-policy {{ grant {key} zonesub ANY; }}; }};\n'
_START_OF_ZONE = "$TTL 300\n@ SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60\n@ NS ns.invalid.\n"


class NameServer:
    """BIND on port 53 of a node; ``zones`` maps names to lines of a zone file."""

    def __init__(self, bench: Bench, node: str, zones: dict[str, Iterable[str]]) -> None:
        self.bench, self.node = bench, node
        self.address = bench.address(node)
        directory = bench.directory / node / "named"
        directory.mkdir()
        config = _CONFIG.format(directory=directory, key=KEY, secret=SECRET)
        for zone, lines in zones.items():
            (directory / zone).write_text(_START_OF_ZONE + "".join(f"{line}\n" for line in lines))
            config += _ZONE.format(zone=zone, directory=directory, key=KEY)
        (directory / "named.conf").write_text(config)
        program = shutil.which("named", path="/usr/sbin:/usr/bin")
        assert program, "needs bind9"
        bench.spawn("named", node, program, "-g", "-n", "1", "-c", str(directory / "named.conf"))
        bench.wait_for(lambda: self._answers(next(iter(zones))), 20, "named")

    def _answers(self, zone: str) -> bool:
        try:
            return self.ask(zone, "SOA") not in ("SERVFAIL", "REFUSED")
        except (OSError, dns.exception.DNSException):
            return False

    def ask(self, name: str, kind: str = "PTR") -> list[str] | str:
        """The values of an answer, or the response code as text if there are none."""
        with inside(self.bench.prefix + self.node):
            answer = dns.query.udp(dns.message.make_query(name, kind), self.address, timeout=5)
        values = sorted(str(record) for rrset in answer.answer for record in rrset)
        return values or dns.rcode.to_text(answer.rcode())

    def queries(self) -> list[tuple[str, str]]:
        """(name, type) of each query that came, in order."""
        lines = (line.split(" query: ")[1].split() for line in self.bench.log("named").splitlines() if " query: " in line)
        return [(words[0], words[2]) for words in lines]


def lookup_name(address: str) -> str:
    """The capability name that is to be asked for: the 16 nibbles of the /64 (O-49)."""
    nibbles = ipaddress.ip_address(address).exploded.replace(":", "")[:16]
    return ".".join([*reversed(nibbles), CAPABILITY_SUFFIX])


def ansible(program: str, *arguments: str, node: tuple[str, ...] = (), warnings: bool = False) -> str:
    """The output of a program of Ansible in this repository; ``node`` is what to put before the command."""
    command = (*node, str(Path(sys.executable).parent / program), *arguments)
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=os.environ | plain, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr * warnings


def link_inventory(directory: Path, **variables: object) -> dict:
    """An inventory of r1 and s1; None leaves a variable out."""
    table = directory / "acps.csv"
    table.write_text("client_id,acps,name,comment\n")

    def node(name: str) -> dict:
        underlay = {"interface": "eth0", "addresses": [NODES[name].v4, NODES[name].v6]}
        return {"aero_underlays": [underlay], "aero_id": NODES[name].id}

    common = {
        "aero_domain": "example.net", "aero_asps": ["2001:db8::/32"], "aero_acp_table": str(table),
        "aero_bgp_password": "unused", "aero_underlay_protected": True, **variables,
    }  # fmt: skip
    groups = {"aero_relays": {"hosts": {"r1": node("r1")}}, "aero_servers": {"hosts": {"s1": node("s1")}}}
    variables = {name: value for name, value in common.items() if value is not None}
    return {"aero": {"vars": variables, "children": {"aero_nodes": {"children": groups}}}}


def zone_tool(cases: dict[str, dict[str, list[str]]]) -> dict[str, list[tuple[str, str]]]:
    """What the filter aero_capability_names makes of links (domain: ASPs), for any number of cases at once."""
    jobs = [(case, domain, links) for case, links in cases.items() for domain in links]
    calls = ", ".join(
        f"links[{case!r}][{domain!r}] | aero.link.aero_capability_names({domain!r}, "
        f"others=links[{case!r}] | dict2items | rejectattr('key', 'eq', {domain!r}) | items2dict)"
        for case, domain, _links in jobs
    )
    shown = ansible("ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "ansible.builtin.debug",
                    "-e", json.dumps({"links": cases}), "-a", json.dumps({"msg": f"{{{{ [{calls}] | to_json }}}}"}))  # fmt: skip
    answers = json.loads(_message(shown))
    found: dict[str, list[tuple[str, str]]] = {case: [] for case in cases}
    for (case, _domain, _links), records in zip(jobs, answers, strict=True):
        found[case] += [(record["name"], record["value"]) for record in records]
    return found


def _message(shown: str) -> str:
    import yaml

    value = yaml.safe_load(shown[shown.index("=>") + 2 :])["msg"]
    return value if isinstance(value, str) else json.dumps(value)
