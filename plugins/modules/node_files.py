#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put all files of a node in place, all or none."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_files
short_description: Put all files of a node in place at once
version_added: 0.1.0
author:
  - The aero.link developers (@aero-link)
description:
  - Brings a list of files, directories and symbolic links into the wanted state in one module call.
  - Every checker runs on a copy before the first file is replaced, so a mistake in one file leaves all
    of them as they are. Each file is then replaced atomically.
  - What has to be told to which service is returned in RV(notify), and also waits on the node until
    M(aero.link.node_services) has taken it up, so that a run that was cut off is completed by the next one.
extends_documentation_fragment:
  - aero.link.attributes
  - aero.link.attributes.full
options:
  files:
    description: What must be there, in this order. Missing parent directories are made with mode V(0755).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path on the node.
        type: path
        required: true
      state:
        description:
          - What O(files[].path) must be.
          - V(absent) removes a file, a link, or a directory with all that is in it.
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description: The text of a file.
        type: str
      secret_content:
        description: The text of a file that holds a secret. It is shown neither in logs nor in differences.
        type: str
      mask:
        description:
          - For O(files[].secret_content). Regular expression of all that is secret in it.
            Differences then show the rest.
        type: str
      content_b64:
        description: The bytes of a file, encoded in base64. Differences show size and hash only.
        type: str
      target:
        description: Where a link points.
        type: str
      mode:
        description: Permissions, octal. The default is V(0755) for directories and V(0644) for files.
        type: str
      owner:
        description: Owning user.
        type: str
        default: root
      group:
        description: Owning group.
        type: str
        default: root
      if_contains:
        description: For V(absent). A file without this text is somebody else's, and stays.
        type: str
      validate:
        description:
          - Command that checks a copy of the file, V(%s) in it, and ends with 0 if the file is good.
          - An argument that is the path of another entry of O(files) stands for that entry's new content.
          - No shell is involved. In check mode a command that is not on the node yet (or ends with 127)
            is skipped with a note.
        type: str
      keep_predecessor:
        description:
          - For a link. When it is switched, files beside it that match this pattern are removed,
            save the new target and the one before.
        type: str
      on_change:
        description: Tags for RV(notify) when this entry had to be changed.
        type: list
        elements: str
        default: []
  pending:
    description: Where tags wait for M(aero.link.node_services).
    type: path
    default: /run/aero-pending.json
seealso:
  - module: aero.link.node_services
"""

EXAMPLES = r"""
- name: Place the files of a Relay
  aero.link.node_files:
    files:
      - path: /etc/bird/bird.conf
        secret_content: "{{ lookup('ansible.builtin.template', 'bird.conf.j2') }}"
        group: bird
        mode: "0640"
        validate: bird -p -c %s
        on_change: [bird]
"""

RETURN = r"""
changed_files:
  description: Paths that were changed, or would be.
  type: list
  elements: str
  returned: success
notify:
  description: Tags of the changed entries.
  type: list
  elements: str
  returned: success
notes:
  description: Checks that could not be made in check mode.
  type: list
  elements: str
  returned: success
"""

from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.aero.link.plugins.module_utils import _pending
from ansible_collections.aero.link.plugins.module_utils._node_files import (
    NOT_FOUND,
    Entry,
    FilesError,
    apply,
    attributes_differ,
    content_differs,
    differences,
    refuse_impossible,
    run_checks,
)


def runner(module: AnsibleModule) -> Callable[[list[str]], tuple[int, str]]:
    """How checkers are run: (exit status, what they complained)."""

    def run(words: list[str]) -> tuple[int, str]:
        if module.get_bin_path(words[0]) is None:
            return NOT_FOUND, "no such command"
        status, output, errors = module.run_command(words)
        return status, errors.strip() or output

    return run


def place(module: AnsibleModule) -> dict:
    """Do what the module is for; returns its result."""
    entries = [Entry.from_option(option) for option in module.params["files"]]
    for entry in entries:
        refuse_impossible(entry, module.check_mode)
    changing = [entry for entry in entries if content_differs(entry) or attributes_differ(entry)]
    tags = {tag for entry in changing for tag in entry.on_change}
    result = {
        "changed": bool(changing),
        "changed_files": [entry.path for entry in changing],
        "notify": sorted(tags),
        "diff": [diff for entry in changing for diff in differences(entry)],
        "notes": run_checks(entries, runner(module), module.check_mode),
    }
    if not module.check_mode:
        _pending.add(module.params["pending"], tags)
        for entry in changing:
            apply(entry)
    return result


def main() -> None:
    entry = {
        "path": {"type": "path", "required": True},
        "state": {"choices": ["file", "directory", "link", "absent"], "default": "file"},
        "content": {"type": "str"},
        "secret_content": {"type": "str", "no_log": True},
        "mask": {"type": "str"},
        # Not secret, but nobody wants it in the journal.
        "content_b64": {"type": "str", "no_log": True},
        "target": {"type": "str"},
        "mode": {"type": "str"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "if_contains": {"type": "str"},
        "validate": {"type": "str"},
        "keep_predecessor": {"type": "str"},
        "on_change": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": entry},
            "pending": {"type": "path", "default": _pending.PENDING},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**place(module))
    except (FilesError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
