"""What an export gives: bytes, and how to hand them out."""

from __future__ import annotations

from espalier.search.file import File


def test_a_file_is_its_bytes_and_how_to_hand_them_out() -> None:
    content, media_type, suffix = File(b"{}", "application/json", "json")
    assert (content, media_type, suffix) == (b"{}", "application/json", "json")
    assert File(b"a", "text/csv", "csv") == File(content=b"a", media_type="text/csv", suffix="csv")
