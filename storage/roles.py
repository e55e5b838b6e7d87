"""What a token may do. Names alone, which the command line knows without a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

Role = Literal["read", "submit", "admin"]
"""read: look at everything; submit: queue jobs, too, and steer and delete those; admin: those of everybody."""
ROLES: Sequence[Role] = get_args(Role)
"""Each may what those before it may."""
