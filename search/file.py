"""What an export gives. No torch: the service hands it out."""

from typing import NamedTuple

MEDIA_TYPES = ("application/json", "application/yaml", "text/csv", "text/x-python", "application/octet-stream")
"""Of all formats."""


class File(NamedTuple):
    """Bytes, and how to hand them out."""

    content: bytes
    media_type: str
    suffix: str
