"""Choosing from a registry: a name, and options that are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeVar

from pydantic import ValidationError

from espalier.models.document import Frozen
from espalier.search.errors import SpecError, UnknownName
from espalier.search.spec import Choice


class HasOptions(Protocol):
    """A class that can be chosen by name."""

    Options: ClassVar[type[Frozen]]


KindT = TypeVar("KindT", bound=HasOptions)


def chosen(what: str, choice: Choice, registry: Mapping[str, type[KindT]]) -> tuple[type[KindT], Frozen]:
    """The class of that name, and its options. Raises UnknownName or SpecError."""
    if choice.name not in registry:
        raise UnknownName(what, choice.name, registry)
    kind = registry[choice.name]
    try:
        return kind, kind.Options.model_validate(choice.options)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SpecError(
            f"options of {choice.name!r}: {problems} (there are: {', '.join(kind.Options.model_fields)})"
        ) from error


ChoiceT = TypeVar("ChoiceT", bound=Choice)


def plain(what: str, choice: ChoiceT, registry: Mapping[str, type[KindT]]) -> ChoiceT:
    """The choice with options as they are meant, defaults left out. Raises UnknownName or SpecError."""
    return having(choice, chosen(what, choice, registry)[1])


def having(choice: ChoiceT, options: Frozen) -> ChoiceT:
    """The choice with these options, defaults left out."""
    return choice.model_copy(update={"options": options.model_dump(mode="json", exclude_defaults=True)})
