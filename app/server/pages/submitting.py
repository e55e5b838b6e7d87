"""A form for a new search: what it would run and cost, and what it stands for over HTTP."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from espalier.app import tables
from espalier.app.client.client import dataset_of
from espalier.app.schemas import CatalogEntry, PlanView
from espalier.app.server.body import parse_spec
from espalier.app.server.deps import Gone, ServiceDep
from espalier.app.server.guides import resolved
from espalier.app.server.pages.rendering import render
from espalier.app.server.responses import plan_view
from espalier.app.server.routes import jobs as api
from espalier.app.service import Service
from espalier.app.words import plain
from espalier.app.work.executors.base import TaskFailed
from espalier.app.work.tasks import describe_catalog
from espalier.search.arms import BASELINES
from espalier.search.errors import SpecError
from espalier.search.machine import cores
from espalier.search.spec import JobSpec
from espalier.storage import candidates, jobs
from espalier.storage.errors import NotFound, TooManyQueued

router = APIRouter()

MOST_FIELDS = 500
USUAL = ("vgg11", "digits", "params=0.5 params=0.25 macs=0.5")
"""Network, data and budgets that the form begins with."""


class Given(NamedTuple):
    """What stands in the form."""

    arch: str = USUAL[0]
    width: str = ""
    dataset: str = USUAL[1]
    methods: tuple[str, ...] = ("slimming",)
    baselines: tuple[str, ...] = ("uniform",)
    budgets: str = USUAL[2]
    seeds: str = "3"
    epochs: str = ""
    name: str = ""
    more: str = ""

    def spec(self) -> dict[str, Any]:
        """What it says, as a job spec. Raises SpecError for what cannot be read."""
        options = {"width": _number(self.width, "width")} if self.width.strip() else {}
        target = {"arch": self.arch.strip(), "dataset": dataset_of(self.dataset.strip())} | (
            {"options": options} if options else {}
        )
        spec = {
            "name": self.name,
            "target": target,
            "methods": [{"name": one} for one in self.methods],
            "baselines": [*self.baselines],
            "budgets": [_budget(one) for one in self.budgets.replace(",", " ").split()],
            "seeds": [*range(_whole(self.seeds, "seeds", 1000))],
        }
        if self.epochs.strip():
            spec["recipe"] = {"epochs": _whole(self.epochs, "epochs", 10_000)}
        more = _more(self.more)
        if isinstance(more.get("target"), dict):
            more["target"] = target | more["target"]
        return spec | more

    @property
    def below(self) -> list[str]:
        """What the JSON says, so that fields of the same name do not count."""
        try:
            return sorted(plain(key) for key in _more(self.more))
        except SpecError:
            return []


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SpecError(f"{what} is a number such as 0.5, got {text[:50]!r}") from error


def _whole(text: str, what: str, most: int) -> int:
    if not text.strip().isdecimal() or len(text) > 20 or not 1 <= int(text) <= most:
        raise SpecError(f"{what} is a whole number from 1 to {most}, got {text[:50]!r}")
    return int(text)


def _budget(text: str) -> dict[str, Any]:
    metric, given, keep = text.partition("=")
    return {"metric": metric, "keep": _number(keep, f"what stays of {metric}")} if given else {"preset": text}


def _more(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"what else the spec says is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise SpecError("what else the spec says is a JSON object: {…}")
    return found


@router.get("/new")
def ask(service: ServiceDep, like: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The form, empty or as a job has it."""
    if not like:
        return _page(service, Given())
    with service.database.session() as session:
        spec = JobSpec.read(jobs.get(session, like).spec)
    return _page(service, like_of(spec))


def like_of(spec: JobSpec) -> Given:
    """The form of a job. What no field can say is JSON, and that alone: fields stay free to be changed."""
    said = spec.said
    plainly = Given(
        arch=spec.target.arch,
        width=f"{spec.target.options['width']:g}" if _is_width(spec) else "",
        dataset=spec.target.dataset_name,
        methods=tuple(one.name for one in spec.methods),
        baselines=spec.baselines,
        budgets=" ".join(map(str, spec.budgets)),
        seeds=str(len(spec.all_seeds)),
        epochs=str(spec.recipe.changes.get("epochs", "")),
        name=spec.name,
    )
    meant = _meant(plainly)
    rest = {key: said[key] for key in said if key != "schema_version" and said[key] != meant.get(key)}
    if "target" in rest:
        rest["target"] = {key: value for key, value in rest["target"].items() if value != meant["target"].get(key)}
    return plainly._replace(more=json.dumps(rest, indent=2) if rest else "")


def _is_width(spec: JobSpec) -> bool:
    return isinstance(spec.target.options.get("width"), float)


def _meant(given: Given) -> dict[str, Any]:
    """What the fields of a form say, as a spec says it; nothing if that is none."""
    try:
        return JobSpec.model_validate(given.spec()).said
    except (SpecError, ValidationError):
        return {"target": {}}


@router.post("/new")
async def answer(request: Request, service: ServiceDep, gone: Gone) -> Response:
    """Plan it, or start it."""
    body = (await request.body()).decode(errors="replace")
    return await run_in_threadpool(_answer, service, body, gone)


def _answer(service: Service, body: str, gone: Gone) -> Response:
    try:
        fields = urllib.parse.parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return _page(service, Given(), problem="the form has too many fields", status=422)
    given = _given(fields)
    try:
        written = json.dumps(given.spec())
        spec = parse_spec(written.encode(), "application/json")
        if fields.get("what") == ["submit"]:
            job = api.submit(spec, service, Response(), gone)
            return RedirectResponse(f"/jobs/{job.id}", 303)
        return _page(service, given, plan_view(service.examine_spec(resolved(service, spec), gone)), spec=written)
    except RequestValidationError as error:
        return _page(service, given, problem="This is no spec yet.", errors=error.errors(), status=422)
    except (SpecError, NotFound, TooManyQueued) as error:
        return _page(service, given, problem=str(error), status=422)
    except TaskFailed as error:
        if not error.is_users:
            raise
        return _page(service, given, problem=str(error), status=422)


def _given(fields: Mapping[str, list[str]]) -> Given:
    words: dict[str, Any] = {name: values[0] for name, values in fields.items() if name in Given._fields}
    several = {name: tuple(fields.get(name, ())) for name in ("methods", "baselines")}
    return Given(**(words | several))


def _page(
    service: Service,
    given: Given,
    plan: PlanView | None = None,
    spec: str = "",
    problem: str = "",
    errors: Any = (),
    status: int = 200,
) -> Response:
    catalog: Mapping[str, list[CatalogEntry]] = service.ask_once(describe_catalog)
    seconds, rate = _time(service, plan)
    return render(
        "new.html",
        status,
        given=given,
        methods=catalog["methods"],
        baselines=[one for one in catalog["arms"] if one.name in BASELINES],
        archs=[one.name for one in catalog["architectures"]],
        datasets=[one.name for one in catalog["datasets"]],
        plan=plan,
        candidates=tables.candidates(plan.candidates) if plan else None,
        seconds=seconds,
        rate=rate,
        spec=spec.replace("'", "'\\''"),
        problem=problem,
        errors=[(plain(".".join(map(str, one["loc"][1:]))), plain(str(one["msg"]))) for one in errors],
        below=given.below,
    )


def _time(service: Service, plan: PlanView | None) -> tuple[float | None, float | None]:
    """How long it takes here at least, and the multiply-adds per second by which that is reckoned: those of trainings
    so far, as many at once as there are workers for. None where nothing was trained yet."""
    if plan is None:
        return None, None
    with service.database.session() as session:
        pace = candidates.pace(session)
    if pace is None:
        return None, None
    at_once = min(len(plan.candidates), max(1, (service.settings.workers or cores()) // pace.threads))
    rate = pace.macs_per_second * max(1, at_once)
    return plan.macs / rate, rate
