# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets plain pytest find ansible_collections.aero.link, as ansible-test does by itself."""

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

_COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"

# In a checkout the collection is found through the link collections/ansible_collections/aero/link;
# an installed one already lies where its name says.
if _COLLECTIONS.is_dir():
    init_plugin_loader([str(_COLLECTIONS)])
