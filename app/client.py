"""A client of the HTTP API, for the command line and for Python programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx2

Json = dict[str, Any]


class ClientError(Exception):
    """The service refused, or could not be reached."""


def dataset_of(text: str) -> str | dict[str, str]:
    """A data set as a job spec names it, from how a command line does: a name, or `folder:NAME`."""
    folder = text.removeprefix("folder:")
    return text if folder == text else {"folder": folder}


class Event(NamedTuple):
    """One Server-Sent Event."""

    id: int
    kind: str
    data: Json


class Client:
    """Talks to one service. Use it in a `with`. Every method raises ClientError with what the service said."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Accept": "application/json"}  # events would come as an endless stream
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.url = url
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=httpx2.Timeout(330, connect=5))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, spec: Json, idempotency_key: str | None = None) -> Json:
        """Queue a search."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        job: Json = self._json("POST", "/v1/jobs", json=spec, headers=headers)
        return job

    def get(self, path: str, **params: Any) -> Any:
        """Any resource as JSON; parameters that are None are left out."""
        return self._json("GET", path, params={name: value for name, value in params.items() if value is not None})

    def post(self, path: str, body: Json | None = None) -> Json:
        """A verb, such as cancel; with a body where it takes one."""
        answer: Json = self._json("POST", path, json=body)
        return answer

    def pages(self, path: str, most: int | None = None, **params: Any) -> list[Json]:
        """The items of a listing, over as many pages as it takes."""
        items: list[Json] = []
        cursor = None
        while most is None or len(items) < most:
            answer = self.get(
                path, cursor=cursor, limit=min(200, (most or 200) - len(items) if most else 200), **params
            )
            items += answer["items"]
            cursor = answer["next_cursor"]
            if cursor is None:
                break
        return items

    def export(self, architecture: str, format: str) -> tuple[str, bytes]:
        """A file name and the file."""
        response = self._request("GET", f"/v1/architectures/{architecture}/export", params={"format": format})
        name = response.headers["content-disposition"].partition('filename="')[2].rstrip('"')
        return name, response.content

    def events(self, job: str, after: int = 0) -> Iterator[Event]:
        """What happens to a job, until it ends; takes up a broken connection where it was."""
        while True:
            for event in self._stream(job, after):
                after = event.id
                yield event
            if self.get(f"/v1/jobs/{job}")["state"] in ("succeeded", "failed", "cancelled"):
                yield from self._stream(job, after)
                return

    def _stream(self, job: str, after: int) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        try:
            with self._http.stream("GET", f"/v1/jobs/{job}/events", headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise ClientError(_reason(response))
                yield from _parse(response.iter_lines())
        except httpx2.TransportError:
            return  # the caller asks again

    def _json(self, method: str, path: str, **options: Any) -> Any:
        response = self._request(method, path, **options)
        try:
            return response.json()
        except ValueError as error:
            raise ClientError(f"{self.url} did not answer with JSON; is an Espalier service there?") from error

    def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        if ".." in path.split("/"):
            raise ClientError(f"{path} is no address of this service")
        try:
            response = self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise ClientError(f"no answer from {self.url}: {error}; is `espalier serve` running there?") from error
        if response.is_error:
            raise ClientError(_reason(response))
        return response


def _parse(lines: Iterator[str]) -> Iterator[Event]:
    """Server-Sent Events from lines; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def _reason(response: httpx2.Response) -> str:
    try:
        problem = response.json()
        return f"{problem['title']} ({problem['status']}): {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code} from {response.url}"
