"""What an export gives. No torch: the service hands it out."""

from typing import NamedTuple


class File(NamedTuple):
    """Bytes, and how to hand them out."""

    content: bytes
    media_type: str
    suffix: str
