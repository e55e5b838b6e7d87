"""How long the demonstration takes."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from benchmarks.common import Setting
from espalier.app.tables import Table, table


def run(_setting: Setting) -> Table:
    """`espalier demo` from start to end."""
    started = time.monotonic()
    ran = subprocess.run([sys.executable, "-m", "espalier.app.cli", "demo"], capture_output=True, text=True, check=True)
    wall = time.monotonic() - started
    search = re.search(r"The search took (\d+) seconds", ran.stdout)
    assert search is not None, ran.stdout
    return table("espalier demo", ("search s", "all s"), [(search[1], f"{wall:.0f}")])
