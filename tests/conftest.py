# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets plain pytest find ansible_collections.aero.link, as ansible-test does by itself."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]

# In a checkout the collection is found through the link collections/ansible_collections/aero/link;
# an installed one already lies where its name says.
if (_ROOT / "collections").is_dir():
    sys.path.insert(0, str(_ROOT / "collections"))
