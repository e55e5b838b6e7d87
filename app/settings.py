"""Settings from the environment, prefix ESPALIER_. An unknown name or an unusable value stops the start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from espalier.app.caps import Caps
from espalier.app.work.executors import EXECUTORS
from espalier.search.results import Pinned, Precision
from espalier.storage.room import Room

SHORTEST_TOKEN, SHORTEST_SECRET = 8, 16

SECRETS = ("token", "database_url", "webhook_secret", "traces_url")
"""Settings that are not repeated when they are wrong."""
WRITTEN: Mapping[str, tuple[str, str]] = {
    "max_requests_per_token": (
        r"[1-9]\d*/(second|minute|hour|day)",
        "a rate is a number of requests and what they are in: 600/minute",
    ),
    "traces_url": (r"https?://[^\s/]+/\S*", "an address is such as http://localhost:4318/v1/traces"),
}
"""How settings are written that are set: a pattern, and it in words."""
PREFIX = "ESPALIER_"
CLIENT_ONLY = frozenset({"URL"})
"""Variables of the command line's client, which the service does not read."""


class SettingsError(Exception):
    """A setting that is unknown or cannot be used."""


class Settings(BaseSettings):
    """What the service can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(default=Path("espalier-data"), description="database, weights, caches, token")
    datasets_dir: Path | None = Field(
        default=None, description="image folders and downloads; in the data directory if not set"
    )
    database_url: str = Field(default="", description="SQLite in the data directory if not set")
    store: str = Field(
        default="", description="weights and checkpoints: in the data directory if not set, or s3://BUCKET/FOLDER"
    )
    checkpoint_seconds: float = Field(
        default=20.0, ge=0, le=86_400, description="between two copies of a checkpoint in an object store, at least"
    )
    token: str = Field(default="", max_length=500, description="made at the first start if not set", repr=False)
    hosts: str = Field(
        default="",
        max_length=2000,
        description="names under which browsers reach the service, beside this machine's own",
    )
    executor: str = Field(default="local", description="where networks are trained")
    workers: int | None = Field(default=None, ge=1, le=1024, description="cores to train on; all if not set")
    precision: Precision | None = Field(default=None, description="of training; the fastest if not set")
    channels_last: bool | None = Field(default=None, description="layout of images; the fastest if not set")
    threads: int | None = Field(default=None, ge=1, le=1024, description="for each network; the fastest if not set")
    max_queued_jobs: int = Field(default=100, ge=1)
    max_queued_jobs_per_token: int | None = Field(
        default=None, ge=1, description="of each token with a name; no limit if not set"
    )
    max_requests_per_token: str = Field(default="", description="such as 600/minute, or 10/second; no limit if not set")
    max_macs_per_job: float | None = Field(
        default=None, gt=0, description="multiply-adds that training may take, such as 1e15; no limit if not set"
    )
    max_seconds_per_job: float | None = Field(
        default=None, gt=0, description="of training, after which a job is stopped; no limit if not set"
    )
    max_macs_per_token: float | None = Field(
        default=None,
        gt=0,
        description="multiply-adds that jobs of one token with a name may take that were submitted within a day",
    )
    webhook_hosts: str = Field(
        default="", max_length=2000, description="hosts that may be told of the ends of jobs; none if not set"
    )
    webhook_secret: str = Field(default="", max_length=500, description="what they are told is signed with", repr=False)
    traces_url: str = Field(
        default="",
        max_length=2000,
        description="where traces are sent to, as OTLP over HTTP: http://HOST:4318/v1/traces; nowhere if not set",
        repr=False,
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("executor")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value not in EXECUTORS:
            raise ValueError(f"no executor of that name; there are: {', '.join(EXECUTORS)}")
        return value

    @field_validator(*WRITTEN)
    @classmethod
    def _is_written_so(cls, value: str, info: ValidationInfo) -> str:
        pattern, words = WRITTEN[str(info.field_name)]
        if value and not re.fullmatch(pattern, value):
            raise ValueError(words)
        return value

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if self.webhook_hosts and len(self.webhook_secret) < SHORTEST_SECRET:
            raise ValueError(
                f"ESPALIER_WEBHOOK_HOSTS needs ESPALIER_WEBHOOK_SECRET, of at least {SHORTEST_SECRET} characters"
            )
        return self

    @field_validator("token")
    @classmethod
    def _is_sent_as_it_is(cls, value: str) -> str:
        if value and (len(value) < SHORTEST_TOKEN or not re.fullmatch(r"[!-~]+", value)):
            raise ValueError(f"a token is at least {SHORTEST_TOKEN} letters, digits and signs of ASCII without spaces")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _lasts(cls, value: str) -> str:
        if re.fullmatch(r"sqlite[^:]*:(//)?/?(:memory:)?", value.partition("?")[0]):
            raise ValueError("a database in memory would be another one for every process; name a file")
        return value

    @property
    def caps(self) -> Caps:
        """What a job may take."""
        return Caps(self.max_macs_per_job, self.max_seconds_per_job)

    @property
    def room(self) -> Room:
        """What may be queued."""
        return Room(self.max_queued_jobs, self.max_queued_jobs_per_token, self.max_macs_per_token)

    @property
    def pinned(self) -> Pinned:
        """How networks are computed, as far as that is not left to timing."""
        return Pinned(precision=self.precision, channels_last=self.channels_last, threads=self.threads)

    @property
    def host_names(self) -> frozenset[str]:
        """`hosts`, one by one."""
        return _names(self.hosts)

    @property
    def webhook_host_names(self) -> frozenset[str]:
        """`webhook_hosts`, one by one."""
        return _names(self.webhook_hosts)

    @property
    def datasets(self) -> Path:
        """Root of image folders and downloads."""
        return self.datasets_dir or self.data_dir / "datasets"

    @property
    def cache(self) -> Path:
        """What can be made again."""
        return self.data_dir / "cache"

    @property
    def store_url(self) -> str:
        """Where weights and checkpoints are."""
        return self.store or str(self.data_dir.resolve())

    @property
    def url(self) -> str:
        """The database."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'espalier.db'}"


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in re.split(r"[,\s]+", text.lower()) if name)


def load() -> Settings:
    """The settings of this process. Raises SettingsError, which names every variable that is wrong."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{PREFIX}{name}" for name in CLIENT_ONLY}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"no setting {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_problem, error.errors()))) from error


def _problem(error: ErrorDetails) -> str:
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    name = str(error["loc"][0])
    got = "" if name in SECRETS else f", got {error['input']!r}"
    return f"{PREFIX}{name.upper()}: {error['msg'].removeprefix('Value error, ')}{got}"
