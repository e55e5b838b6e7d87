"""A form for a new search: what it would run and cost, on which data, and what it stands for over HTTP."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from espalier.app import tables
from espalier.app.schemas import CatalogArchitecture, CatalogEntry, PlanView
from espalier.app.server.auth import Caller
from espalier.app.server.body import parse_spec
from espalier.app.server.deps import CallerDep, Gone, ServiceDep
from espalier.app.server.guides import resolved
from espalier.app.server.pages.form import Given, NotReadable, like_of
from espalier.app.server.pages.rendering import render
from espalier.app.server.responses import plan_view
from espalier.app.server.routes import jobs as api
from espalier.app.service import Service
from espalier.app.words import plain
from espalier.app.work.executors.base import TaskFailed
from espalier.app.work.tasks import describe_architecture, describe_catalog, describe_dataset
from espalier.search.arms import BASELINES
from espalier.search.datasets import Summary
from espalier.search.errors import SpecError
from espalier.search.spec import INITS, RANKINGS, JobSpec
from espalier.storage import jobs
from espalier.storage.errors import NotFound, TooManyQueued

router = APIRouter()

MOST_FIELDS = 500
SEVERAL = ("baselines", "controls", "inits")
"""Fields of which any number may be ticked, beside the methods."""
PLACES: Mapping[tuple[str, ...], str] = {
    ("target", "arch"): "arch",
    ("target", "options"): "width",
    ("target", "dataset"): "dataset",
    ("recipe", "epochs"): "epochs",
    **{(name,): name for name in ("methods", *SEVERAL, "planner", "budgets", "seeds", "name", "smoke", "webhook")},
}
"""Where a spec says what a field of the form does."""
UNKNOWN = {
    "no architecture": "arch",
    "no data set": "dataset",
    "no pruning method": "methods",
    "no baseline": "baselines",
    "no planner": "planner",
    "webhook is at": "webhook",
}
"""How errors begin that are about one field."""


@router.get("/new")
def ask(service: ServiceDep, like: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The form, empty or as a job has it."""
    if not like:
        return _page(service, Given())
    with service.database.session() as session:
        spec = JobSpec.read(jobs.get(session, like).spec)
    return _page(service, like_of(spec))


@router.post("/new")
async def answer(request: Request, service: ServiceDep, gone: Gone, caller: CallerDep) -> Response:
    """Plan it, or start it."""
    body = (await request.body()).decode(errors="replace")
    return await run_in_threadpool(_answer, service, body, gone, caller)


def _answer(service: Service, body: str, gone: Gone, caller: Caller) -> Response:
    try:
        fields = urllib.parse.parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return _page(service, Given(), problem="the form has too many fields", status=422)
    given = _given(fields)
    try:
        written = json.dumps(given.spec())
        spec = parse_spec(written.encode(), "application/json")
        if fields.get("what") == ["submit"]:
            job = api.submit(spec, service, Response(), gone, caller)
            return RedirectResponse(f"/jobs/{job.id}", 303)
        return _page(service, given, _plan(service, resolved(service, spec), written, gone))
    except RequestValidationError as error:
        return _page(service, given, problem="This is no spec yet.", errors=error.errors(), status=422)
    except (SpecError, NotFound, TooManyQueued) as error:
        return _page(service, given, problem=str(error), at=_field_of(error), status=422)
    except TaskFailed as error:
        if not error.is_users:
            raise
        return _page(service, given, problem=str(error), at=_field_of(error), status=422)


def _field_of(error: Exception) -> str:
    """Where an error is shown besides the top: at the field that it is about, if it is about one."""
    if isinstance(error, NotReadable):
        return error.field
    return next((field for words, field in UNKNOWN.items() if str(error).startswith(words)), "")


def _at_fields(errors: Sequence[Any]) -> dict[str, str]:
    """What is wrong with a spec, by the fields that say those parts of it."""
    found: dict[str, str] = {}
    for one in errors:
        place = tuple(map(str, one["loc"][1:]))
        field = next((field for start, field in PLACES.items() if place[: len(start)] == start), None)
        if field is not None:
            found.setdefault(field, plain(str(one["msg"])))
    return found


def _given(fields: Mapping[str, list[str]]) -> Given:
    words: dict[str, Any] = {name: fields[name][0] for name in Given._fields if name in fields}
    several = {name: tuple(fields.get(name, ())) for name in ("methods", *SEVERAL)}
    options = {name: values[0] for name, values in fields.items() if "." in name}
    return Given(**(words | several | {"options": options}))


class _Plan(NamedTuple):
    """What a search would run, on which network and data."""

    view: PlanView
    network: CatalogArchitecture
    data: Summary
    rate: float | None
    """Multiply-adds per second by which that is reckoned: of trainings so far, as many at once as there are workers."""
    spec: str

    @property
    def samples(self) -> str:
        """Four pictures as the address of an image; empty where no viewer shows such images."""
        return f"data:image/png;base64,{base64.b64encode(self.data.samples).decode()}" if self.data.samples else ""


def _plan(service: Service, spec: JobSpec, written: str, gone: Gone) -> _Plan:
    estimate = service.examine_spec(spec, gone)
    rate = service.rate(len(estimate.candidates))
    data = service.examine(describe_dataset, spec.target.dataset, service.paths, gone=gone)
    network = service.ask_once(
        describe_architecture, spec.target.arch, len(data.classes), data.shape, dict(spec.target.options)
    )
    return _Plan(plan_view(estimate, rate), network, data, rate, written)


def _page(
    service: Service,
    given: Given,
    plan: _Plan | None = None,
    problem: str = "",
    errors: Any = (),
    at: str = "",
    status: int = 200,
) -> Response:
    catalog: Mapping[str, list[CatalogEntry]] = service.ask_once(describe_catalog)
    return render(
        "new.html",
        status,
        given=given,
        methods=catalog["methods"],
        options={one.name: found for one in catalog["methods"] if (found := options_of(one))},
        several=[
            (
                "baselines",
                "Held against",
                {one.name: one.description for one in catalog["arms"] if one.name in BASELINES},
            ),
            ("controls", "Each method also against its own ranking", RANKINGS),
            ("inits", "Weights begin as", INITS),
        ],
        planners=catalog["planners"],
        archs=catalog["architectures"],
        datasets=catalog["datasets"],
        tells=sorted(service.settings.webhook_host_names),
        plan=plan,
        candidates=tables.candidates(plan.view.candidates) if plan else None,
        command=plan.spec.replace("'", "'\\''") if plan else "",
        problem=problem,
        errors=[(plain(".".join(map(str, one["loc"][1:]))), plain(str(one["msg"]))) for one in errors],
        below=given.below,
        wrong=_at_fields(errors) | ({at: problem} if at else {}),
    )


class Option(NamedTuple):
    """One option of a method, as a field of the form."""

    name: str
    description: str
    default: str
    choices: Sequence[str]
    """If only these words will do."""


def options_of(method: CatalogEntry) -> list[Option]:
    """The options of a method, from their schema."""
    found: Any = (method.options or {}).get("properties", {})
    return [
        Option(name, str(schema.get("description", "")), _written(schema.get("default")), _choices(schema))
        for name, schema in found.items()
    ]


def _written(value: Any) -> str:
    """As it may be typed in; what is left to the method is not."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _choices(schema: Mapping[str, Any]) -> list[str]:
    return ["true", "false"] if schema.get("type") == "boolean" else [*map(str, schema.get("enum", ()))]
