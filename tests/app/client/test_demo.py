"""The demonstration, from start to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from espalier.models.network import build
from espalier.search.export import read_document


@pytest.mark.long
def test_the_demonstration_leaves_a_network_that_can_be_rebuilt(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "espalier.app.cli", "demo", "--output", str(tmp_path / "left")],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "slimming" in ran.stdout
    assert "The search took" in ran.stdout
    net = build(read_document((tmp_path / "left" / "pruned.json").read_text()))
    assert f"rebuilds it: {sum(p.numel() for p in net.parameters()):,} parameters" in " ".join(ran.stdout.split())
    assert sorted(path.name for path in (tmp_path / "left").iterdir() if path.is_file()) == [
        "pruned.json", "pruned.py", "pruned.safetensors",
    ]  # fmt: skip
