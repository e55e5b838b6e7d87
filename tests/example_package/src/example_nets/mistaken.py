"""Entries that say what cannot be."""

from typing import Any, cast

from espalier.models.architectures import Architecture
from example_nets import TINY

SHAPELESS = Architecture("shapeless", "", TINY.make, shape=cast(Any, (3, 8)))
OPTIONLESS = Architecture("optionless", "", TINY.make, options=cast(Any, dict))
