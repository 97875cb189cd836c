# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection to a container on this machine through its namespaces."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nsenter
author:
  - The aero.link developers (@aero-link)
version_added: 0.1.0
short_description: Run tasks in a container on this machine by entering its namespaces
description:
  - Enters all namespaces of the container's init process with C(nsenter). This takes some milliseconds,
    where C(podman exec) takes a good tenth of a second and wants to see the same cgroups as C(podman run).
  - Needs root. Another user needs C(sudo) without a password.
  - The user in the container is always C(root).
options:
  pidfile:
    description:
      - File with the process id of the container's init, as C(podman run --pidfile) writes it.
    type: path
    required: true
    vars:
      - name: ansible_nsenter_pidfile
  netns:
    description:
      - File that holds the network namespace of the container.
      - Process ids are used again, and the file of a container that crashed is not removed. So the process
        is entered only if it lives in this namespace.
    type: path
    required: true
    vars:
      - name: ansible_nsenter_netns
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
notes:
  - Files are copied by a shell in the container, not below C(/proc/PID/root), where an absolute symbolic link
    would lead into the file system of the controller.
"""

import os
import shlex
import subprocess
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

display = Display()

# Exit status of a command that never reached the node, as with ssh.
NOT_REACHED = 255
MARK = "nsenter:"

# $1 pid file, $2 namespace, $3 command. `-ef` compares device and inode, so one test shows that the process
# is alive and the node's. The environment is the node's, not that of the user who runs Ansible.
ENTER = f"""
pid=$(cat "$1" 2>/dev/null)
if ! [ "/proc/$pid/ns/net" -ef "$2" ]; then
    echo "{MARK} no process of $1 in $2, the node does not run" >&2
    exit {NOT_REACHED}
fi
exec nsenter --all --target "$pid" -- env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/sh LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c "$3"
"""


class Connection(ConnectionBase):
    """Runs each command in the namespaces of the container's init."""

    transport = "aero.link.nsenter"
    has_pipelining = True
    # Whom a task becomes is compared with this: nothing needs to be done to become root.
    default_user = "root"

    def _connect(self) -> Connection:
        """There is nothing to keep open: each command enters anew, and checks what it enters."""
        self._connected = True
        return self

    def close(self) -> None:
        """Nothing is open."""
        self._connected = False

    def _command(self, cmd: str) -> list[str]:
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        expected = (self.get_option("pidfile"), self.get_option("netns"))
        return [*sudo, "/bin/sh", "-c", ENTER, "enter", *expected, cmd]

    def _run(self, cmd: str, stdin: bytes | t.IO[bytes] | None) -> tuple[int, bytes, bytes]:
        """Run a shell command in the node; raise if it was not reached."""
        display.vvv(f"ENTER {self.get_option('pidfile')}: {cmd}")
        given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
        try:
            done = subprocess.run(self._command(cmd), capture_output=True, check=False, **given)
        except OSError as error:
            raise AnsibleConnectionFailure(f"cannot enter the node: {error}") from error
        said = to_text(done.stderr, errors="replace").strip()
        if done.returncode == NOT_REACHED and said.startswith(MARK):
            raise AnsibleConnectionFailure(said)
        if done.returncode == 1 and said.startswith("sudo:"):
            raise AnsibleConnectionFailure(f"entering a node needs root, or sudo without a password: {said}")
        return done.returncode, done.stdout, done.stderr

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run a command in the node."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._run(cmd, in_data)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the node."""
        super().put_file(in_path, out_path)
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound(f"no such file: {in_path}")
        with open(to_bytes(in_path), "rb") as file:
            status, _out, err = self._run(f"cat > {shlex.quote(out_path)}", file)
        if status:
            raise AnsibleError(f"cannot write {out_path}: {to_text(err, errors='replace').strip()}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the node."""
        super().fetch_file(in_path, out_path)
        status, content, err = self._run(f"cat {shlex.quote(in_path)}", None)
        if status:
            raise AnsibleError(f"cannot read {in_path}: {to_text(err, errors='replace').strip()}")
        with open(to_bytes(out_path), "wb") as file:
            file.write(content)
