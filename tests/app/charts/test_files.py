"""Pictures as files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from espalier.app import charts
from espalier.app.charts.files import CannotSave, save
from espalier.search.answers.front import pareto
from tests.search.helpers import outcome

SVG = charts.front([pareto([outcome("dense", 0.9, 1000), outcome("uniform", 0.8, 100)], "params")])


@pytest.mark.parametrize(
    ("name", "begins"), [("a.svg", b"<svg"), ("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.b.png", b"\x89PNG")]
)
def test_the_name_says_the_form(name: str, begins: bytes, tmp_path: Path) -> None:
    save(SVG, tmp_path / name)
    written = (tmp_path / name).read_bytes()
    assert written.startswith(begins)
    assert len(written) > 1000


@pytest.mark.parametrize("name", ["a.jpg", "a", "svg"])
def test_another_form_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match=r"\.svg, \.png, \.pdf"):
        save(SVG, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_without_the_package_there_is_svg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    save(SVG, tmp_path / "a.svg")
    with pytest.raises(CannotSave, match=r"espalier-nas\[pictures\]"):
        save(SVG, tmp_path / "a.png")
