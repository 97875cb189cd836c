# SPDX-License-Identifier: GPL-3.0-or-later
"""A short sample of the bench of ACP tables: that it runs, not how fast."""

from __future__ import annotations

from tests.bench import acp_table


def test_the_bench_runs(monkeypatch):
    # As the Makefile has it.
    monkeypatch.setenv("PYTHONPATH", "collections")
    lines = acp_table.report(2000, acp_table.figures(2000))
    assert [line.split()[1] for line in lines] == ["baseline", "csv", "json", "yaml", "enrol", "again"]
