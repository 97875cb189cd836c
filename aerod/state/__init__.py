# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node knows: neighbors, forwarding entries, underlays, counters."""
