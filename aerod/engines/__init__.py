# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarding engines: they take the forwarding entries and move packets."""
