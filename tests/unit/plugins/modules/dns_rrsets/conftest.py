# SPDX-License-Identifier: GPL-3.0-or-later
"""Real name servers on loopback, and a way to run the module against them.

Each server has the zones `example.net` (with records of somebody else) and `aero.test`. Two keys are known:
`link`, which may change what the role dns lets it change, and `other`, which may change everything.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
from types import SimpleNamespace

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.aero.link.plugins.modules import dns_rrsets

SECRET = "bGluayBzZWNyZXQgb2YgdGhlIHRlc3Rz"
OTHER_SECRET = "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cw=="

ZONES = {
    "example.net": """
$TTL 300
@ SOA ns.example.net. hostmaster.example.net. 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www A 192.0.2.80
linkupnetworks TXT "somebody else's"
linkupnetworks MX 10 mail
alias.linkupnetworks CNAME www
*.wild.linkupnetworks A 192.0.2.99
""",
    "aero.test": """
$TTL 300
@ SOA ns.example.net. hostmaster.example.net. 1 3600 600 86400 60
@ NS ns.example.net.
*.f.f PTR somebody-else.example.
""",
}

BIND = """
options {{
  directory "{directory}"; pid-file "{directory}/named.pid"; session-keyfile "{directory}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; allow-transfer {{ none; }};
  dnssec-validation no; notify no; check-names primary ignore;
}};
controls {{ }};
key "link" {{ algorithm hmac-sha256; secret "{secret}"; }};
key "other" {{ algorithm hmac-sha256; secret "{other_secret}"; }};
zone "example.net" {{
  type primary; file "{directory}/example.net.zone";
  update-policy {{
    grant other zonesub ANY;
    grant link subdomain linkupnetworks.example.net. A AAAA TXT CNAME;
  }};
}};
zone "aero.test" {{
  type primary; file "{directory}/aero.test.zone";
  update-policy {{ grant other zonesub ANY; grant link subdomain aero.test. PTR; }};
}};
"""

KNOT = """
server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
database:
    storage: "{directory}"
key:
  - id: link
    algorithm: hmac-sha256
    secret: {secret}
  - id: other
    algorithm: hmac-sha256
    secret: {other_secret}
acl:
  - id: other
    key: other
    action: [query, update]
  - id: link
    key: link
    action: update
    update-owner: name
    update-owner-name: [linkupnetworks.example.net., aero.test.]
    update-type: [A, AAAA, TXT, CNAME, PTR]
template:
  - id: default
    storage: "{directory}"
    file: "%s.zone"
    acl: [other, link]
zone:
  - domain: example.net
  - domain: aero.test
"""

COMMANDS = {
    "bind": (BIND, "named", ["-g", "-n", "1", "-c"]),
    "knot": (KNOT, "knotd", ["-c"]),
}


class Server(SimpleNamespace):
    """One running name server: `port`, and ways to look at it and change it past the module."""

    address = "127.0.0.1"

    def ask(self, name, rdtype):
        """The sorted values of the answer, or the rcode as text if there are none."""
        query = dns.message.make_query(name, rdtype)
        query.flags &= ~dns.flags.RD
        response = dns.query.tcp(query, self.address, timeout=5, port=self.port)
        return sorted(str(rd) for rrset in response.answer for rd in rrset) or dns.rcode.to_text(
            response.rcode()
        )

    def update(self, zone, *changes):
        """Changes by somebody else: tuples of a method of dns.update.UpdateMessage and its arguments."""
        message = dns.update.UpdateMessage(zone, keyring=dns.tsig.Key("other", OTHER_SECRET))
        for method, *arguments in changes:
            getattr(message, method)(*arguments)
        assert dns.query.tcp(message, self.address, timeout=5, port=self.port).rcode() == dns.rcode.NOERROR

    def serial(self, zone):
        return self.ask(zone, "SOA")[0].split()[2]


@contextlib.contextmanager
def running_server(backend, directory, prefix=()):
    """A name server with fresh zones below `directory`; `prefix` are words to put before its command."""
    template, program, arguments = COMMANDS[backend]
    program = shutil.which(program, path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip(f"{backend} is not installed")
    port = free_port()
    for zone, text in ZONES.items():
        (directory / f"{zone}.zone").write_text(text)
    config = directory / "server.conf"
    config.write_text(
        template.format(directory=directory, port=port, secret=SECRET, other_secret=OTHER_SECRET)
    )
    with open(directory / "log", "w") as log:
        process = subprocess.Popen([*prefix, program, *arguments, str(config)], stdout=log, stderr=log)
    server = Server(backend=backend, port=port, log=directory / "log")
    try:
        wait_until_it_answers(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def wait_until_it_answers(server, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, server.log.read_text()
        with contextlib.suppress(OSError, EOFError, dns.exception.DNSException):
            if server.ask("aero.test", "SOA") != "SERVFAIL":
                return
        time.sleep(0.05)
    raise AssertionError(server.log.read_text())


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(params=sorted(COMMANDS))
def server(request, tmp_path):
    """A fresh server, once of each kind."""
    with running_server(request.param, tmp_path) as running:
        yield running


@pytest.fixture
def bind(tmp_path):
    """A fresh BIND, for what does not depend on the kind of server."""
    with running_server("bind", tmp_path) as running:
        yield running


@pytest.fixture
def publish(capsys, monkeypatch):
    """Run the module: publish(server, record, ..., option=value) -> its result.

    It must succeed, or fail with fails=True.
    """
    # Else, after a test of a controller plugin, warnings go to Ansible's screen and not into the result.
    monkeypatch.setattr("ansible.module_utils._internal.is_controller", False)

    def run(server, *records, check=False, fails=False, **options):
        arguments = {
            "server": server.address,
            "port": server.port,
            "key_name": "link",
            "key_secret": SECRET,
            "timeout": 5,
            "records": list(records),
            "_ansible_check_mode": check,
            **options,
        }
        basic._ANSIBLE_ARGS = None
        with patch_module_args(arguments), pytest.raises(SystemExit):
            dns_rrsets.main()
        result = json.loads(capsys.readouterr().out)
        assert SECRET not in json.dumps({**result, "invocation": None})
        assert result.get("failed", False) is fails, result
        return result

    return run


@pytest.fixture
def refused(publish):
    """Run the module in vain, without changing anything: refused(...) -> its message."""

    def run(*arguments, **options):
        result = publish(*arguments, fails=True, **options)
        assert not result.get("changed")
        return result["msg"]

    return run
