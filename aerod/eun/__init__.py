# SPDX-License-Identifier: GPL-3.0-or-later
"""The end user network of a Client: its addresses, radvd and dnsmasq follow the lease."""
