"""The API's documentation: as a page for people, as a document for programs, in short for language models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse, Response

from espalier.app.server.auth import STATIC
from espalier.app.server.browsers import POLICY

router = APIRouter()

IN_SHORT = """# Espalier

> Pruning as architecture search. A job trains a network with sparsity, reads off how many channels each layer deserves,
> trains that architecture from scratch, and holds it against uniform and random widths at the same measured cost, over
> several seeds.

Routes under /v1 want the header `Authorization: Bearer TOKEN`; whoever started the service knows the token
(`ESPALIER_TOKEN`, or the file `token` in its data directory). Bodies and answers are JSON, but for pictures, events and
exported files; errors are problem documents (RFC 9457) that say what was wrong and what works.

1. `POST /v1/jobs/plan` with a spec says what it would run and cost, and runs nothing. Its least is
   `{"target": {"arch": "vgg11", "dataset": "digits"}}`; `GET /v1/catalog/...` lists what may be named. Show the plan
   to whoever pays for it.
2. `POST /v1/jobs` with the same spec starts it. With the header `Idempotency-Key`, the same request twice is one job.
3. `GET /v1/jobs/{job_id}` until its state is succeeded, failed or cancelled; or follow its events.
4. Read its verdict before its front. `undecided` is an answer: the interval does not tell the two apart.
5. `GET /v1/jobs/{job_id}/choice?most=100000` is the network to take; export it as `python` with `safetensors`, and it
   rebuilds with torch alone.

Accuracies are fractions, costs are counts of parameters and of multiply-adds for one image. `espalier mcp` serves the
most important of it as tools.

## Routes

"""
"""What stands before the routes in llms.txt (https://llmstxt.org)."""


@router.get("/docs")
def docs() -> Response:
    """The API's documentation."""
    files = STATIC + "/swagger"
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Espalier",
        swagger_js_url=f"{files}/swagger-ui-bundle.js",
        swagger_css_url=f"{files}/swagger-ui.css",
        swagger_favicon_url=f"{files}/favicon-32x32.png",
    )
    inline = "'self' 'unsafe-inline'"  # Swagger UI's own
    page.headers["Content-Security-Policy"] = f"{POLICY}; script-src {inline}; style-src {inline}"
    return page


@router.get("/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/llms.txt")
def in_short(request: Request) -> Response:
    """What the service is and how to ask it, for language models."""
    lines = "\n".join(_routes(request.app.openapi()["paths"]))
    return Response(
        f"{IN_SHORT}{lines}\n\nAll of it, with schemas: [openapi.json](/openapi.json)\n", media_type="text/markdown"
    )


def _routes(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for path, operations in paths.items():
        for verb, operation in operations.items():
            said = str(operation.get("description", operation.get("summary", ""))).split("\n\n")[0]
            yield f"- `{verb.upper()} {path}`: {' '.join(said.split())}"
