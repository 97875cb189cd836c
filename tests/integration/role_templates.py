# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCPv6 servers' configurations as the role's own templates make them, for servers outside a lab."""

from __future__ import annotations

from pathlib import Path

import jinja2
from ansible.plugins.filter.core import FilterModule as CoreFilters

ROLE = Path(__file__).parents[2] / "roles" / "server"
# Kea as the user that its unit runs it as: PostgreSQL knows it by that.
AS_KEA = ("setpriv", "--reuid=_kea", "--regid=_kea", "--clear-groups", "--inh-caps=+net_bind_service",
          "--ambient-caps=+net_bind_service")  # fmt: skip


def render(name: str, backend: str, aero_id: int = 11) -> str:
    """The template ``name`` of a Server with this ID and DHCPv6 back end."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(CoreFilters().filters())
    link = {
        "hosts": {"s": {"id": aero_id}}, "dhcp_backend": backend,
        "lease_preferred": 3600, "lease_valid": 7200, "lease_renew": 1000, "lease_rebind": 2000, "lease_retry": 120,
    }  # fmt: skip
    template = environment.from_string((ROLE / "templates" / name).read_text())
    return template.render(aero_link=link, inventory_hostname="s")
