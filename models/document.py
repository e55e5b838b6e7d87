"""Values that are stored and sent: frozen, closed to unknown fields, hashed, and read for ever. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

Raw = Mapping[str, Any]
"""A document as it was written: plain data."""


class Frozen(BaseModel):
    """Base of every value that is stored, sent and passed on: immutable, and closed to unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A changed copy, validated like any other value (pydantic's own is not)."""
        if not update:
            return super().model_copy(deep=deep)
        return type(self).model_validate({name: getattr(self, name) for name in type(self).model_fields} | dict(update))


class NoOptions(Frozen):
    """No options."""


class Document(Frozen):
    """A value that outlives the release that wrote it.

    `schema_version` says which meaning its fields have. `UPGRADES[n]` makes a document of version n one of version
    n + 1; a document of any version is read through all of them.
    """

    UPGRADES: ClassVar[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        newest = cls.model_fields["schema_version"].default
        version = data.get("schema_version", cls.version_of(data))
        if type(version) is not int or not 1 <= version <= newest:
            raise ValueError(f"this is schema version {version!r}; this release reads 1 to {newest}")
        while version < newest:
            try:
                data = {**cls.UPGRADES[version](dict(data)), "schema_version": version + 1}
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"this is no document of version {version}: {error!r} stands in the way") from error
            version += 1
        return data

    @classmethod
    def version_of(cls, data: Raw) -> int:  # noqa: ARG003
        """The version of a document that says none, and is not known to be stored: today's, unless its words tell."""
        return int(cls.model_fields["schema_version"].default)

    @classmethod
    def read(cls, raw: Raw) -> Self:
        """A stored document."""
        return cls.model_validate(cls.as_stored(raw))

    @classmethod
    def as_stored(cls, raw: Raw) -> dict[str, Any]:
        """What a stored document is read from, alone or as a part of another. One that says no version is of the first,
        which had none to say."""
        return {"schema_version": 1, **raw}


def content_hash(value: BaseModel | Raw, length: int = 32) -> str:
    """Hash of a value's canonical JSON (sorted keys, every field written, defaults too), as `length` hex digits."""
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:length]
