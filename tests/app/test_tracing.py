"""Traces: none unless they are wanted; then of every request, job and training, sent as OpenTelemetry has it."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from espalier.app.client.demo import service
from espalier.app.settings import SettingsError
from espalier.app.tracing import MISSING, begin_span, end_span, sent_to, traced
from espalier.search.spec import JobSpec
from tests.search.helpers import planned

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector(ThreadingHTTPServer):
    """Takes what is sent to it, as Jaeger, Tempo and others do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.spans: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        found = ExportTraceServiceRequest.FromString(body)
        for resource in found.resource_spans:
            assert ("service.name", "espalier") in {(a.key, a.value.string_value) for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_requests_jobs_and_trainings_are_traced(collector: Collector, tmp_path: Path) -> None:
    spec = {
        "target": {"arch": "vgg11", "options": {"width": 0.1}, "dataset": "digits"},
        "budgets": [{"metric": "params", "keep": 0.3}], "baselines": ["uniform"], "seeds": [0], "recipe": {"epochs": 1}, "smoke": True,
    }  # fmt: skip
    with service(tmp_path, extra={"ESPALIER_TRACES_URL": collector.url}) as client:
        job = client.submit(spec).id
        assert list(client.events(job))
        headers = {"Authorization": f"Bearer {client.token}", "traceparent": f"00-{PARENT}-00f067aa0ba902b7-01"}
        httpx2.get(f"{client.url}/v1/jobs/{job}", headers=headers)
        httpx2.get(f"{client.url}/v1/jobs/nowhere", headers=headers)
        httpx2.get(f"{client.url}/sign-in?token={client.token}&next=/")
        told = client.token or ""
    found = collector.named("GET /v1/jobs/{job_id}")
    mine = [attributes(span) for span in found if span.trace_id.hex() == PARENT]
    assert sorted(one["http.response.status_code"] for one in mine) == [200, 404]
    assert collector.named("POST /v1/jobs")
    assert not any(told in str(span) for span in collector.spans), "no secret is in them"
    (run,) = collector.named("job")
    assert {"espalier.job": job, "espalier.attempt": 1, "espalier.end": "succeed"}.items() <= attributes(run).items()
    below = [span for span in collector.spans if span.parent_span_id == run.span_id]
    assert {span.name for span in below} == {"preparation", "smoke run", "training", "latencies"}
    assert all(span.trace_id == run.trace_id for span in below)
    trained = [span for span in below if span.name == "training"]
    assert {attributes(span)["espalier.label"] for span in trained} == {
        one.label for one in planned(JobSpec.model_validate(spec))
    }
    assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in below)


def test_without_an_address_nothing_is_traced() -> None:
    with sent_to(""), traced("job", job="one") as span:
        assert not span.is_recording()
        inner = begin_span("training", candidate="two")
        end_span(inner, "it burst")
        assert not inner.is_recording()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match="espalier-nas"), sent_to("http://localhost:4318/v1/traces"):
        pass
    assert "ESPALIER_TRACES_URL" in MISSING
