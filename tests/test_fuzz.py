"""A fuzzer over the whole OpenAPI document, against a service that runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.server.test_processes import SPEC, TOKEN, Serve, finish, measured, serve

__all__ = ["measured", "serve"]

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance",
)  # fmt: skip
"""No server errors, and no answer that the document does not tell of."""
EXAMPLES = 60
"""For each operation and phase."""


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_request_is_answered_by_a_server_error_or_as_nobody_was_told(
    serve: Callable[..., Serve], tmp_path: Path
) -> None:
    """All phases: examples, coverage, fuzzing and chains of requests. What follows a job never ends, and is left out;
    what is submitted is prepared and trained meanwhile, as on any service. Jobs are deleted at the end, since the other
    requests would find none."""
    service = serve()
    finish(service.client, service.client.submit(SPEC).id)
    others = ("--exclude-operation-id", "follow_job", "--exclude-operation-id", "delete_job")
    assert _fuzz(service, tmp_path, *others, "--phases", "examples,coverage,fuzzing") > 1000, "thousands of cases"
    # the tool cannot make an array that must not hold something, which it comes to in chains now and then
    assert _fuzz(service, tmp_path, *others, "--phases", "stateful", "--mode", "positive") > 100
    assert _fuzz(service, tmp_path, "--include-operation-id", "delete_job", "--phases", "coverage,fuzzing") > 0


def _fuzz(service: Serve, folder: Path, *which: str) -> int:
    """How many requests were made."""
    found = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"http://127.0.0.1:{service.port}/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS), *which,
            "--max-examples", str(EXAMPLES), "--seed", "0", "--no-color", "--generation-database", "none",
            "--suppress-health-check", "all", "--request-timeout", "120", "--workers", "1",
        ],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    tried = re.search(r"(\d[\d,]*) generated", found.stdout)
    assert tried is not None, found.stdout[-2000:]
    return int(tried[1].replace(",", ""))
