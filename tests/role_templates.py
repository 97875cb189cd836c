# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons' configurations as the roles' own templates make them, for daemons outside a lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from ansible.plugins.filter.core import FilterModule as CoreFilters
from ansible.plugins.test.core import TestModule as CoreTests

ROLES = Path(__file__).parents[1] / "roles"
ROLE = ROLES / "server"


def template(role: str, name: str, filters: dict[str, Callable] | None = None) -> jinja2.Template:
    """A template of a role, with Ansible's own filters and tests, and ``filters``."""
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    # Ansible's own "default" works in its own environment alone.
    environment.filters = CoreFilters().filters() | environment.filters | (filters or {})
    environment.tests.update(CoreTests().tests())
    return environment.from_string((ROLES / role / "templates" / name).read_text())


def render(name: str, backend: str, aero_id: int = 11, **more: Any) -> str:
    """The template ``name`` of a Server with this ID and DHCPv6 back end, and ``more`` of the link."""
    link = {
        "hosts": {"s": {"id": aero_id}}, "dhcp_backend": backend,
        "lease_preferred": 3600, "lease_valid": 7200, "lease_renew": 1000, "lease_rebind": 2000, "lease_retry": 120,
    }  # fmt: skip
    return template("server", name).render(aero_link=link | more, inventory_hostname="s")
