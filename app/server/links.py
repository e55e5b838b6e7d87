"""Links of the OpenAPI document: which operations take what an answer gives."""

from __future__ import annotations

from typing import Any


def links(parameter: str, place: str, *operations: str) -> dict[str, Any]:
    """What an answer says of these operations: their parameter is what stands at this place of its body, as a JSON
    pointer."""
    given = {parameter: f"$response.body#/{place}"}
    return {"links": {operation: {"operationId": operation, "parameters": given} for operation in operations}}


OF_A_JOB = (
    "get_job", "list_candidates", "follow_job", "get_pareto", "get_verdict", "cancel_job", "pause_job", "resume_job",
    "prioritise_job", "retry_job", "extend_job", "delete_job",
)  # fmt: skip
OF_A_PATTERN = ("get_pattern_by_id", "apply_pattern")
OF_AN_ARCHITECTURE = ("get_architecture", "export_architecture")
