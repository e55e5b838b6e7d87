"""What a data set consists of, to look at before anything is trained on it."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from espalier.models.config import Shape
from espalier.models.document import Frozen
from espalier.search.datasets.base import Files


class Summary(Frozen):
    """A data set as it is learned from, and what its files were."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    classes: tuple[str, ...]
    shape: Shape
    images: dict[str, dict[str, int]] = Field(description="part (train, holdout, test) -> class -> how many")
    files: Files
    samples: bytes = Field(description="four training pictures side by side, as a PNG in base64")
