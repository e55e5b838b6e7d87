"""The channel config as a document, and reading it again."""

from __future__ import annotations

import json
from typing import Any

import yaml
from pydantic import ValidationError

from espalier.models.config import ChannelConfig
from espalier.models.cost import receipt
from espalier.models.document import content_hash
from espalier.search.errors import SpecError
from espalier.search.exports.base import Source
from espalier.search.file import File
from espalier.search.version import VERSION


def to_json(source: Source) -> File:
    """The channel config with its cost receipt."""
    return File((json.dumps(_document(source), indent=2) + "\n").encode(), "application/json", "json")


def to_yaml(source: Source) -> File:
    """The same document as YAML."""
    plain = json.loads(json.dumps(_document(source)))  # tuples are lists in YAML
    return File(yaml.safe_dump(plain, sort_keys=False).encode(), "application/yaml", "yaml")


def _document(source: Source) -> dict[str, Any]:
    """The config with its cost receipt, as plain data; `hash` is that of the config as it is written here."""
    config, seen = source.config.model_dump(mode="json"), source.preprocessing
    known = {"preprocessing": seen.model_dump(mode="json") if seen else None, "measured": source.measured}
    return {
        "config": config,
        "id": source.config.id,
        "hash": content_hash(config),
        "cost": source.network.cost._asdict(),
        "layers": [row.model_dump(mode="json") for row in receipt(source.config)],
        **{name: value for name, value in known.items() if value is not None},
        "made_by": f"espalier {VERSION}",
    }


def read_document(text: str) -> ChannelConfig:
    """The config in an exported `json` or `yaml` file of any release, or a bare one.

    Raises SpecError if it was changed: its hash is that of the config as it stands in the file.
    """
    try:
        data = _parsed(text)
    except yaml.YAMLError as error:
        raise SpecError(f"a channel config is JSON or YAML; this file is neither: {error}") from error
    if not isinstance(data, dict):
        raise SpecError("a channel config is a mapping; this file holds something else")
    raw = data.get("config", data)
    try:
        config = ChannelConfig.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}" for e in error.errors())
        raise SpecError(f"this is no channel config: {problems}") from error
    said = data.get("hash", data.get("id"))  # version 1 called the hash of the config its id
    if "config" in data and said is not None and said != content_hash(raw):
        raise SpecError(f"the file says {said}, but its config has {content_hash(raw)}: it was changed after export")
    return config


def _parsed(text: str) -> Any:
    """Plain data; JSON as JSON, since YAML reads some of its numbers as texts."""
    try:
        return json.loads(text)
    except ValueError:
        return yaml.safe_load(text)
