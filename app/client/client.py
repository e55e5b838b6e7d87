"""A client of the HTTP API, for the command line and for Python programs. It gives values, not dictionaries."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx2
from pydantic import TypeAdapter, ValidationError

from espalier.app import charts
from espalier.app.schemas import (
    AppliedView,
    ArchitectureView,
    CandidateView,
    CatalogArchitecture,
    CatalogEntry,
    EventView,
    FoundView,
    Health,
    JobView,
    Page,
    PlanView,
)
from espalier.app.words import make_console
from espalier.search.answers.choice import Choice
from espalier.search.answers.patterns import KnownPattern, Patterns
from espalier.search.answers.tickets import TicketAnswer
from espalier.search.answers.values import Answer, CostName, Pareto
from espalier.search.datasets.summary import Summary
from espalier.search.events import EVENT
from espalier.search.spec import FOLDER, JobSpec
from espalier.search.states import FINISHED

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
Spec = JobSpec | Mapping[str, Any]
"""A search, as a value or as JSON says it."""
MOST_ON_A_PAGE = 200


NO_TOKEN = (
    ". Commands take it from --token or ESPALIER_TOKEN, or from the file `token` in the service's data directory, "
    "where ESPALIER_DATA_DIR names that"
)


class ClientError(Exception):
    """The service refused, or could not be reached."""


class Client:
    """Talks to one service. Use it in a `with`. Every method raises ClientError with what the service said."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Accept": "application/json"}  # events would come as an endless stream
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.url, self.token = url, token
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=httpx2.Timeout(330, connect=5))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; for where there is no `with`."""
        self._http.close()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def ready(self) -> Health:
        """Whether jobs would be taken and run."""
        return self._get(Health, "/readyz")

    def submit(self, spec: Spec, idempotency_key: str | None = None) -> JobView:
        """Queue a search."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._post(JobView, "/v1/jobs", json=_plain(spec), headers=headers)

    def plan(self, spec: Spec) -> PlanView:
        """What a search would run, without running it."""
        return self._post(PlanView, "/v1/jobs/plan", json=_plain(spec))

    def job(self, job: str) -> JobView:
        """One job."""
        return self._get(JobView, f"/v1/jobs/{job}")

    def jobs(self, most: int | None = None, state: str | None = None) -> list[JobView]:
        """Jobs, newest first."""
        return self._pages(JobView, "/v1/jobs", most, state=state)

    def cancel(self, job: str) -> JobView:
        """Stop a job; its finished results stay."""
        return self._post(JobView, f"/v1/jobs/{job}/cancel")

    def pause(self, job: str) -> JobView:
        """Let a job wait until it is resumed; what it has trained so far stays."""
        return self._post(JobView, f"/v1/jobs/{job}/pause")

    def resume(self, job: str) -> JobView:
        """Let a paused job go on."""
        return self._post(JobView, f"/v1/jobs/{job}/resume")

    def prioritise(self, job: str, priority: int) -> JobView:
        """Begin a job before those of less priority."""
        return self._put(JobView, f"/v1/jobs/{job}/priority", json={"priority": priority})

    def retry(self, job: str) -> JobView:
        """Let a failed or cancelled job go on where it was."""
        return self._post(JobView, f"/v1/jobs/{job}/retry")

    def extend(self, job: str, more: Mapping[str, Any]) -> JobView:
        """Add methods, budgets, baselines, controls or seeds to a finished job; only what is new is trained."""
        return self._post(JobView, f"/v1/jobs/{job}/extend", json=dict(more))

    def delete(self, job: str) -> None:
        """Forget a finished job."""
        self._request("DELETE", f"/v1/jobs/{job}")

    def candidates(self, job: str, most: int | None = None) -> list[CandidateView]:
        """The candidates of a job, in the order in which they were asked for."""
        return self._pages(CandidateView, f"/v1/jobs/{job}/candidates", most)

    def events(self, job: str, after: int = 0) -> Iterator[EventView]:
        """What happens to a job, until it ends; takes up a broken connection where it was."""
        while True:
            for event in self._stream(job, after):
                after = event.id
                yield event
            if self.job(job).state in FINISHED:
                yield from self._stream(job, after)
                return

    # --- results ------------------------------------------------------------------------------------------------------

    def pareto(self, job: str, cost: CostName = "params") -> Pareto:
        """Cost against accuracy, means over seeds."""
        return self._get(Pareto, f"/v1/jobs/{job}/pareto", cost=cost)

    def choose(self, job: str, most: float, cost: CostName = "params") -> Choice:
        """Which network to take if it may cost at most so much."""
        return self._get(Choice, f"/v1/jobs/{job}/choice", most=most, cost=cost)

    def frame(self, job: str, cost: CostName = "params") -> pandas.DataFrame:
        """The front as a table of pandas: a row for each point, cheapest first; accuracies as fractions."""
        try:
            import pandas
        except ImportError as error:
            raise ClientError("a frame needs pandas, which is not installed here: pip install pandas") from error
        rows = [
            {
                "widths": point.arm.name,
                "budget": str(point.budget or ""),
                "params": point.params,
                "macs": point.macs,
                "latency_ms": point.latency_ms,
                "holdout": point.holdout,
                "accuracy": point.accuracy.mean,
                "std": point.accuracy.std,
                "n": point.accuracy.n,
                "on_front": point.on_front,
                "front_probability": point.front_probability,
                "architecture": point.architecture,
            }
            for point in self.pareto(job, cost).points
        ]
        return pandas.DataFrame(rows)

    def plot(self, job: str, cost: CostName = "params") -> charts.Markup:
        """The front as a picture, which a notebook shows."""
        return charts.front([self.pareto(job, cost)])

    def wait(self, job: str) -> JobView:
        """Follow a job to its end, with its progress on the terminal; the job as it ended."""
        from espalier.app.client.progress import follow

        return follow(self, job, make_console())

    def verdict(self, job: str) -> Answer:
        """Whether automatic pruning was better."""
        return self._get(Answer, f"/v1/jobs/{job}/verdict")

    def patterns(self, job: str) -> Patterns:
        """How much of each stage and group methods keep."""
        return self._get(Patterns, f"/v1/jobs/{job}/pattern")

    def known_patterns(
        self, arch: str | None = None, dataset: str | None = None, most: int | None = None
    ) -> list[KnownPattern]:
        """The library, first what most speaks for with this network on this data."""
        return self._pages(KnownPattern, "/v1/patterns", most, arch=arch, dataset=dataset)

    def known_pattern(self, pattern: str) -> KnownPattern:
        """One pattern, and what following it did."""
        return self._get(KnownPattern, f"/v1/patterns/{pattern}")

    def apply(self, pattern: str, target: Mapping[str, Any], budget: Mapping[str, Any]) -> AppliedView:
        """The channels and the cost that a pattern gives with another network, data set or budget, untrained."""
        return self._post(AppliedView, f"/v1/patterns/{pattern}/apply", json={"target": target, "budget": budget})

    def tickets(self, job: str) -> TicketAnswer:
        """Lottery tickets, round by round."""
        return self._get(TicketAnswer, f"/v1/jobs/{job}/tickets")

    def architectures(self, most: int | None = None, **wanted: Any) -> list[FoundView]:
        """Architectures across all jobs; filters and order as the API has them."""
        return self._pages(FoundView, "/v1/architectures", most, **wanted)

    def architecture(self, architecture: str) -> ArchitectureView:
        """One architecture, by its id or the first characters of it."""
        return self._get(ArchitectureView, f"/v1/architectures/{architecture}")

    def export(self, architecture: str, format: str) -> tuple[str, bytes]:
        """A file name and the file."""
        response = self._request("GET", f"/v1/architectures/{architecture}/export", params={"format": format})
        name = response.headers["content-disposition"].partition('filename="')[2].rstrip('"')
        return name, response.content

    # --- the catalog --------------------------------------------------------------------------------------------------

    def catalog(self, kind: str) -> list[CatalogEntry]:
        """What there is to ask for: architectures, datasets, methods, exports, …"""
        return self._get(list[CatalogEntry], f"/v1/catalog/{kind}")

    def describe(self, name: str, **options: Any) -> CatalogArchitecture:
        """What of an architecture can be pruned, and what cannot and why."""
        return self._get(CatalogArchitecture, f"/v1/catalog/architectures/{name}", **options)

    def describe_dataset(self, name: str, **options: Any) -> Summary:
        """What a data set consists of: a name, or `folder:NAME` with how it is to be read."""
        return self._get(Summary, f"/v1/catalog/datasets/{name}", **options)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def _get(self, kind: type[T], path: str, **params: Any) -> T:
        """A resource; parameters that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._read(kind, self._request("GET", path, params=given))

    def _post(self, kind: type[T], path: str, **options: Any) -> T:
        return self._read(kind, self._request("POST", path, **options))

    def _put(self, kind: type[T], path: str, **options: Any) -> T:
        return self._read(kind, self._request("PUT", path, **options))

    def _pages(self, kind: type[T], path: str, most: int | None, **params: Any) -> list[T]:
        """The items of a listing, over as many pages as it takes."""
        items: list[T] = []
        cursor = None
        while most is None or len(items) < most:
            limit = MOST_ON_A_PAGE if most is None else min(MOST_ON_A_PAGE, most - len(items))
            found = self._get(Page[kind], path, cursor=cursor, limit=limit, **params)  # type: ignore[valid-type]
            items += found.items
            cursor = found.next_cursor
            if cursor is None:
                break
        return items

    def _stream(self, job: str, after: int) -> Iterator[EventView]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        try:
            with self._http.stream("GET", urllib.parse.quote(f"/v1/jobs/{job}/events"), headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise ClientError(_reason(response))
                yield from _parse(response.iter_lines())
        except httpx2.TransportError:
            return  # the caller asks again

    def _read(self, kind: type[T], response: httpx2.Response) -> T:
        """An answer as a value. Fields that a newer service adds are passed over."""
        try:
            return TypeAdapter(kind).validate_json(response.content, extra="ignore")
        except ValidationError as error:
            raise ClientError(
                f"{self.url} did not answer with what this client knows; is an Espalier service of this release there?"
            ) from error

    def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        if ".." in path.split("/"):
            raise ClientError(f"{path} is no address of this service")
        try:
            response = self._http.request(method, urllib.parse.quote(path), **options)  # names may hold anything
        except httpx2.TransportError as error:
            raise ClientError(f"no answer from {self.url}: {error}; is `espalier serve` running there?") from error
        if response.is_error:
            raise ClientError(_reason(response))
        return response


def dataset_of(text: str, **options: Any) -> str | dict[str, Any]:
    """A data set as a job spec names it, from how a command line does: a name, or `folder:NAME`; options say how a
    folder is read, and those that are None are left out."""
    folder = text.removeprefix(FOLDER)
    given = {name: value for name, value in options.items() if value is not None}
    return text if folder == text and not given else {"folder": folder, **given}


def _plain(spec: Spec) -> Any:
    return spec.model_dump(mode="json") if isinstance(spec, JobSpec) else dict(spec)


def _parse(lines: Iterator[str]) -> Iterator[EventView]:
    """Server-Sent Events from lines; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield _event(fields)
            fields = {}


def _event(fields: Mapping[str, str]) -> EventView:
    data: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_json(fields["data"])
    at = data.pop("at")
    told = EVENT.validate_python({"kind": fields["event"], **data}, extra="ignore")
    return EventView(id=int(fields["id"]), at=at, event=fields["event"], data=told)


def _reason(response: httpx2.Response) -> str:
    try:
        problem = response.json()
        hint = NO_TOKEN if response.status_code == 401 else ""
        return f"{problem['title']} ({problem['status']}): {problem['detail']}{hint}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code} from {response.url}"
