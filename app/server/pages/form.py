"""What stands in the form for a new search, as a spec and from one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from espalier.app.client.client import dataset_of
from espalier.app.words import json_or_word, plain
from espalier.search.errors import SpecError
from espalier.search.spec import JobSpec, MethodSpec, Target


class NotReadable(SpecError):
    """What stands in a field cannot be read."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


USUAL = ("vgg11", "fashion_small", "params=0.5 params=0.25 macs=0.5")
"""Network, data and budgets that the form begins with, at a quarter of its width: minutes, not an hour."""


FIXED: str = JobSpec.model_fields["planner"].default.name
"""The planner that a spec has if it names none."""


class Given(NamedTuple):
    """What stands in the form."""

    arch: str = USUAL[0]
    width: str = "0.25"
    dataset: str = USUAL[1]
    methods: tuple[str, ...] = ("slimming",)
    baselines: tuple[str, ...] = ("uniform", "capped")
    controls: tuple[str, ...] = ()
    inits: tuple[str, ...] = ("scratch",)
    planner: str = FIXED
    budgets: str = USUAL[2]
    seeds: str = "3"
    epochs: str = ""
    name: str = ""
    smoke: str = ""
    """Not empty: ticked."""
    webhook: str = ""
    more: str = ""
    options: Mapping[str, str] = {}
    """Of methods, as 'method.option'; those that are left alone are empty or missing."""

    def spec(self) -> dict[str, Any]:
        """What it says, as a job spec. Raises SpecError for what cannot be read, or would count for nothing."""
        target, more = target_of(self.arch, self.width, self.dataset), _more(self.more)
        if "methods" not in more:
            self._no_idle_options()
        spec: dict[str, Any] = {
            "name": self.name,
            "target": target,
            "methods": [self._method(one) for one in self.methods],
            "baselines": [*self.baselines],
            "controls": [*self.controls],
            "inits": [*self.inits],
            "budgets": [budget_of(one) for one in self.budgets.replace(",", " ").split()],
            "seeds": [*range(_whole(self.seeds, "seeds", 1000))],
        }
        if self.epochs.strip():
            spec["recipe"] = {"epochs": _whole(self.epochs, "epochs", 10_000)}
        if self.smoke:
            spec["smoke"] = True
        if self.webhook.strip():
            spec["webhook"] = self.webhook.strip()
        if self.planner != FIXED:
            spec["planner"] = {"name": self.planner}
        if isinstance(more.get("target"), dict):
            more["target"] = target | more["target"]
        return spec | more

    def _no_idle_options(self) -> None:
        idle = sorted({key.partition(".")[0] for key, text in self.options.items() if text.strip()} - {*self.methods})
        if idle:
            raise NotReadable(
                "methods",
                f"{', '.join(plain(one)[:50] for one in idle)}: options are filled in and the method is not ticked; "
                "tick it, or empty them",
            )

    def _method(self, name: str) -> dict[str, Any]:
        options = {key: json_or_word(self.options[f"{name}.{key}"]) for key in self.set_of(name)}
        return {"name": name} | ({"options": options} if options else {})

    def set_of(self, method: str) -> list[str]:
        """Options of a method that are not left alone."""
        found = (key.partition(".") for key, text in self.options.items() if text.strip())
        return [name for owner, _, name in found if owner == method]

    @property
    def below(self) -> list[str]:
        """What the JSON says, so that fields of the same name do not count."""
        try:
            return sorted(plain(key) for key in _more(self.more))
        except SpecError:
            return []


def target_of(arch: str, width: str, dataset: str) -> dict[str, Any]:
    """A network on a data set, as fields have it. Raises SpecError."""
    options = {"options": {"width": _number(width, "width", "width")}} if width.strip() else {}
    return {"arch": arch.strip(), "dataset": dataset_of(dataset.strip())} | options


def _number(text: str, what: str, field: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise NotReadable(field, f"{what} is a number such as 0.5, got {text[:50]!r}") from error


def _whole(text: str, what: str, most: int) -> int:
    if not text.strip().isdecimal() or len(text) > 20 or not 1 <= int(text) <= most:
        raise NotReadable(what, f"{what} is a whole number from 1 to {most}, got {text[:50]!r}")
    return int(text)


def budget_of(text: str) -> dict[str, Any]:
    """A budget as the form has it: params=0.5, or a preset's name. Raises SpecError."""
    metric, given, keep = text.partition("=")
    return (
        {"metric": metric, "keep": _number(keep, f"what stays of {metric}", "budgets")} if given else {"preset": text}
    )


def _more(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotReadable("more", f"what else the spec says is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotReadable("more", "what else the spec says is a JSON object: {…}")
    return found


def like_of(spec: JobSpec) -> Given:
    """The form of a job. What no field can say is JSON, and that alone: fields stay free to be changed."""
    said = spec.said
    plainly = Given(
        arch=spec.target.arch,
        width=width_of(spec.target),
        dataset=spec.target.dataset_name,
        methods=tuple(one.name for one in spec.methods),
        baselines=spec.baselines,
        controls=spec.controls,
        inits=spec.inits,
        planner=spec.planner.name,
        budgets=" ".join(map(str, spec.budgets)),
        seeds=str(len(spec.all_seeds)),
        epochs=str(spec.recipe.changes.get("epochs", "")),
        name=spec.name,
        smoke="yes" if spec.smoke else "",
        webhook=spec.webhook or "",
        options={key: text for one in spec.methods for key, text in _options(one)},
    )
    meant = _meant(plainly)
    rest = {key: said[key] for key in said if key != "schema_version" and said[key] != meant.get(key)}
    if "target" in rest:
        rest["target"] = {key: value for key, value in rest["target"].items() if value != meant["target"].get(key)}
    return plainly._replace(more=json.dumps(rest, indent=2) if rest else "")


def _options(method: MethodSpec) -> Iterator[tuple[str, str]]:
    for name, value in method.options.items():
        yield f"{method.name}.{name}", value if isinstance(value, str) else json.dumps(value)


def width_of(target: Target) -> str:
    """What the field for the width says of a network."""
    width = target.options.get("width")
    return f"{width:g}" if isinstance(width, float) else ""


def _meant(given: Given) -> dict[str, Any]:
    """What the fields of a form say, as a spec says it; nothing if that is none."""
    try:
        return JobSpec.model_validate(given.spec()).said
    except (SpecError, ValidationError):
        return {"target": {}}
