# SPDX-License-Identifier: GPL-3.0-or-later
"""Codecs: bytes to plain values and back, pure, with one error type for malformed input."""
