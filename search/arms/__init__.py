"""The arms of a comparison, by kind. A new one is one file with a subclass of `Origin`, and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from espalier.search.arms.base import Origin
from espalier.search.arms.baseline import Baseline
from espalier.search.arms.capped import Capped
from espalier.search.arms.control import Control
from espalier.search.arms.dense import Dense
from espalier.search.arms.guided import Guided
from espalier.search.arms.guided_weights import GuidedWeights
from espalier.search.arms.pretrained import Pretrained
from espalier.search.arms.pruned import Pruned
from espalier.search.arms.random import Random
from espalier.search.arms.random_best import RandomBest
from espalier.search.arms.random_draw import RandomDraw
from espalier.search.arms.sampled import Sampled
from espalier.search.arms.sparse import Sparse
from espalier.search.arms.ticket import Ticket
from espalier.search.arms.ticket_control import TicketControl
from espalier.search.arms.trial import Trial
from espalier.search.arms.uniform import Uniform
from espalier.search.arms.uniform_weights import UniformWeights

ARMS: dict[str, type[Origin]] = {
    "sparse": Sparse,
    "dense": Dense,
    "pruned": Pruned,
    "guided": Guided,
    "guided_weights": GuidedWeights,
    "uniform": Uniform,
    "random": Random,
    "random_draw": RandomDraw,
    "random_best": RandomBest,
    "capped": Capped,
    "uniform_weights": UniformWeights,
    "control": Control,
    "pretrained": Pretrained,
    "ticket": Ticket,
    "ticket_control": TicketControl,
    "trial": Trial,
    "sampled": Sampled,
}
"""In the order in which a job's candidates are planned."""

if TYPE_CHECKING:
    AnyOrigin = Origin
else:
    AnyOrigin = Annotated[Union[tuple(ARMS.values())], Field(discriminator="kind")]  # noqa: UP007  (known at run time)

BASELINES = tuple(kind for kind, origin in ARMS.items() if issubclass(origin, Baseline))
"""What a job may name as `baselines`."""
