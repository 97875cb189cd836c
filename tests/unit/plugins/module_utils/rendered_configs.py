# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory by the model and the role's template to what the daemon takes."""

from __future__ import annotations

import functools
import tempfile

from ansible_collections.aero.link.plugins.filter import addresses, keys
from ansible_collections.aero.link.plugins.lookup.acp_keys import LookupModule
from ansible_collections.aero.link.plugins.module_utils import _acp_compiled, _model

from aerod import config
from tests import role_templates
from tests.unit.plugins.module_utils.link_inventory import nested


def rendered(hosts, groups, template="aerod.toml.j2", has="role"):
    """The text of ``aerod.toml``, or of another template, of each node that has this."""
    everybody = nested({**groups, "all": [host for group in groups.values() for host in group]})
    with tempfile.TemporaryDirectory() as folder:
        table = functools.partial(_acp_compiled.compiled, folder=folder)
        link, errors = _model.build(hosts, everybody, table)
        assert errors == []
        return _rendered(hosts, link, template, has)


def _rendered(hosts, link, template, has):
    own = addresses.FilterModule().filters() | keys.FilterModule().filters()
    made = role_templates.template("node", template, {f"aero.link.{name}": each for name, each in own.items()})
    more = {"aero_link": link, "hostvars": hosts, "query": lambda _name, *terms: LookupModule().run(terms, {"aero_link": link})}
    return {
        name: made.render(hosts[name], _node_me=me, inventory_hostname=name, **more)
        for name, me in link["hosts"].items() if me["role"] != "name_server" and me[has]
    }


def configurations(hosts, groups):
    """What ``aerod --check`` makes of the file of each node."""
    return {name: config.parse(text, name) for name, text in rendered(hosts, groups).items()}
