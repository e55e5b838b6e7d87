"""Looking at a job before it runs: everything that can be found wrong without training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from cachetools import LRUCache
from pydantic import ValidationError
from torch.nn.modules.batchnorm import _BatchNorm

from espalier.models.architectures import architecture
from espalier.models.config import Cost
from espalier.models.document import content_hash
from espalier.models.errors import ModelError
from espalier.models.network import Network, chosen_options
from espalier.models.self_check import self_check
from espalier.models.tracing.coupling import Coupling
from espalier.search import allocate, methods, planners, tasks
from espalier.search.arms import BASELINES
from espalier.search.arms.control import Control
from espalier.search.blocks import check_blocks
from espalier.search.candidates import Candidate
from espalier.search.datasets import Data, DataPaths, known, load, recipe_of
from espalier.search.errors import SpecError, UnknownName, messages
from espalier.search.estimate import PlanEstimate
from espalier.search.evaluate import dense_config
from espalier.search.methods.weight import WeightMethod
from espalier.search.options import having, plain
from espalier.search.planners import PLANNERS
from espalier.search.planners.fixed import MOST_CANDIDATES
from espalier.search.question import Place, Question
from espalier.search.recipe import Recipe
from espalier.search.results import FREE, Execution, Pinned
from espalier.search.schedule import matched, steps_per_epoch
from espalier.search.spec import INHERITING, MOST_GUIDES, Budget, Guide, JobSpec, MethodSpec, Ratios, Tickets
from espalier.search.tickets import rates_of
from espalier.search.training.execution import choose_execution
from espalier.search.weights import room_for, usual_weights

MOST_DRAWS = 64
"""Random widths that one is chosen of, however small they are: training has a price beside its multiply-adds."""
BYTES_A_PARAMETER = 12
"""That trying a cut takes: the network, what is cut from it, and a layer on the way."""


def validate(spec: JobSpec, paths: DataPaths, memory: int | None = None) -> PlanEstimate:
    """Everything that can be found wrong with a spec without training: names, options, data, shapes, budgets.

    Raises SpecError or ModelError; SpecError, too, before more than `memory` bytes are taken to look.
    """
    _check_names(spec)  # first: they cost nothing
    data = load(spec.target.dataset, paths)
    network = Network.of(dense_config(spec.target, data))
    question = _question(spec, network, data)
    planner = planners.create(question)
    candidates = _planned(planner)
    if memory is not None and BYTES_A_PARAMETER * network.cost.params > memory:
        raise SpecError(
            f"{spec.target.arch} would have {network.cost.params:,} parameters with these options; to look at it "
            f"takes more than the {memory / 2**30:.1f} GiB that a request may take"
        )
    _try(network, min(question.recipe.batch_size, len(data.train)), bool(network.groups and spec.budgets))
    if not network.groups and spec.budgets and _cuts_channels(spec):
        reasons = "; ".join(f"{layer}: {reason}" for layer, reason in network.coupling.kept[:3])
        raise SpecError(f"{spec.target.arch} has no channels that can be pruned ({reasons})")
    for chosen in question.spec.methods:
        _check_method(chosen, network, question.recipe)
        own = [one for one in candidates if getattr(one.origin, "method", None) == chosen]
        if spec.budgets and not any(one.arm.role == "automatic" for one in own):
            raise SpecError(
                f"{chosen} would train nothing that is not trained anyway: from scratch only widths matter, and where "
                "they are given, another arm has the same; leave it out, or give a budget, or a parent to inherit from"
            )
    if spec.tickets:
        _check_tickets(
            spec.tickets, network, question.recipe.epochs * steps_per_epoch(question.recipe, len(data.train))
        )
    _check_transfers(question, network, paths, memory)
    sizes = {content_hash(budget): _size(spec, network, budget) for budget in spec.budgets}
    lengths = list(_lengths(candidates, network.cost, sizes))
    if (most := planner.most()) > MOST_CANDIDATES:
        raise SpecError(f"it may ask for {most:,} candidates, and a job may have {MOST_CANDIDATES:,}: split it")
    return PlanEstimate(
        question,
        candidates,
        most,
        network.cost,
        sum(epochs for epochs, _ in lengths),
        sum(3 * epochs * len(data.train) * macs for epochs, macs in lengths),
    )


def _planned(planner: planners.Planner[Any]) -> tuple[Candidate, ...]:
    """What is asked for first. Raises SpecError, too, for recipes that would be longer or faster than any may be."""
    try:
        return tuple(planner.next({}))
    except ValidationError as error:
        raise _beyond(error) from error


def _beyond(error: ValidationError) -> SpecError:
    problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']}" for e in error.errors())
    return SpecError(f"trained as this job asks, a network's recipe would be out of its limits: {problems}")


def prepare(
    spec: JobSpec, data_name: str | None, most: int, cores: int, paths: DataPaths, pinned: Pinned = FREE
) -> Execution:
    """Find by timing how the job's networks, up to `most` at once, are computed fastest on so many cores. `data_name`
    is the fingerprint of its data set; None in jobs of before it was noted."""
    target = spec.target
    data = load(target.dataset, paths) if data_name is None else known(target, data_name, paths)
    recipe = _recipe(spec)
    task, batch = tasks.create(spec.target.task, recipe), min(recipe.batch_size, len(data.train))
    return choose_execution(dense_config(spec.target, data), task, batch, cores, most, paths.cache, pinned)


def _recipe(spec: JobSpec) -> Recipe:
    """The recipe of a spec, as it suits its architecture."""
    entry = architecture(spec.target.arch)
    return recipe_of(spec, entry.recipe(chosen_options(entry, spec.target.options)))


def _check_names(spec: JobSpec) -> None:
    if named := [str(guide.job or guide.pattern) for guide in spec.guides if not guide.is_spelt_out]:
        raise SpecError(f"guides name jobs or patterns ({', '.join(named)}), which only a service can look up")
    tasks.create(spec.target.task, recipe_of(spec))
    for baseline in spec.baselines:
        if baseline not in BASELINES:
            raise UnknownName("baseline", baseline, BASELINES)


def _question(spec: JobSpec, network: Network, data: Data) -> Question:
    """The spec with options as they are meant, defaults left out: what is the same has the same key."""
    plainly = {
        "target": spec.target.model_copy(update={"options": network.config.options}),
        "methods": tuple(plain("pruning method", method, methods.METHODS) for method in spec.methods),
        "planner": plain("planner", spec.planner, PLANNERS),
    }
    try:
        meant = spec.model_copy(update=plainly)
    except ValidationError as error:  # options that look different may mean the same
        raise SpecError(messages(error)) from error
    kinds = {method.name: methods.METHODS[method.name] for method in meant.methods}
    question = Question(
        spec=meant,
        recipe=_recipe(spec),
        data=data.fingerprint,
        groups=tuple(Place(group.name, group.width, group.stage) for group in network.groups),
        plain=tuple(sorted(name for name, kind in kinds.items() if not kind.has_own_parent())),
        untrained=tuple(sorted(name for name, kind in kinds.items() if not kind.is_trained)),
        given=tuple(sorted(name for name, kind in kinds.items() if not kind.finds_widths)),
        own_parent_only=tuple(sorted(name for name, kind in kinds.items() if kind.reads_kept)),
        grains={name: kind.grain for name, kind in sorted(kinds.items()) if kind.grain != "channel"},
        selects=any(group.selection for group in network.groups),
        batch_norm=any(isinstance(module, _BatchNorm) for module in network.module.modules()),
        draws=_draws(meant, network),
        trained_as={content_hash(one): trained for one in meant.methods if (trained := _trained_as(one)) != one},
        fine_tuning={name: kind.fine_tuning for name, kind in kinds.items()},
    )
    if INHERITING.issuperset(spec.inits) and question.untrained:
        raise SpecError(
            f"{', '.join(question.untrained)}: the parent is not trained, so there are no weights to inherit; ask for "
            "inits 'scratch'"
        )
    _check_controls(question)
    return question


def _trained_as(method: MethodSpec) -> MethodSpec:
    """The method with the options alone that its parent's training depends on."""
    return having(method, methods.create(method).trained_as)


def _draws(spec: JobSpec, network: Network) -> dict[str, int]:
    """For every budget, how many networks of uniform widths are trained with the compute of one method's parent."""
    if "random_best" not in spec.baselines or not network.groups:
        return {}
    room = max((method.passes for method in spec.methods), default=1) * network.cost.macs
    sizes = {content_hash(budget): _size(spec, network, budget) for budget in spec.budgets}
    return {budget: min(MOST_DRAWS, max(1, room // size.macs)) for budget, size in sizes.items()}


def _check_controls(question: Question) -> None:
    spec = question.spec.model_copy(
        update={"seeds": question.spec.all_seeds[:1]}
    )  # whatever the seed, the same are planned
    planned = {one.origin.ranking for one in Control.plan(question.model_copy(update={"spec": spec}))}
    if idle := [control for control in question.spec.controls if control not in planned]:
        raise SpecError(
            f"controls {', '.join(idle)} would change nothing here: from scratch only widths matter, which shuffled "
            "leaves, and so do all where widths are given (inits 'inherited' helps); single blocks have nothing to "
            "shuffle; no_penalty is for methods that train their parent in a way of their own, and rank its weights"
        )


def _check_method(spec: MethodSpec, network: Network, recipe: Recipe) -> None:
    """Raise SpecError if a method is of no use for this network, or cannot train its parent so."""
    method = methods.create(spec)
    if not method.ranked(network) and method.grain == "channel" and network.groups:
        raise SpecError(
            f"{spec} has nothing to rank any of the {len(network.groups)} groups of {network.config.arch} by: they "
            "select from a stream that stays, and no layer writes to them; use slimming or batch_norm_scale"
        )
    method.regularizer(network, recipe, 1)


STAND_INS: Mapping[str, Guide] = {
    "channel": Guide(name="a pattern", keep=(0.5,)),
    "weight": Guide(name="a pattern of single weights", kernels=(((0.5,) * 3,) * 3,)),
}
"""For what is to be found, by what is cut; whole blocks leave no pattern."""


def _leaves(method: MethodSpec, question: Question, network: Network) -> str | None:
    """Of what a method leaves a pattern: channels, single weights, or nothing."""
    grain = question.grains.get(method.name, "channel")
    if grain == "weight":
        made = methods.create(method)
        assert isinstance(made, WeightMethod)
        shapes = [network.module.get_parameter(name).shape[2:] for name in made.weights(network)]
        return grain if (3, 3) in map(tuple, shapes) else None
    return grain if grain in STAND_INS else None


def _check_transfers(question: Question, network: Network, paths: DataPaths, memory: int | None) -> None:
    """Raise SpecError unless what this job finds can be carried to where it is to be."""
    spec = question.spec
    found = [
        _leaves(method, question, network)
        for method in spec.methods
        for budget in spec.budgets
        if question.finds_widths(method, budget)
    ]
    grains = [grain for grain in found if grain]
    patterns = len(grains)
    if spec.transfer_to and not 0 < patterns <= MOST_GUIDES:
        raise SpecError(
            f"transfer_to: methods of this job find the widths, or the single weights of 3x3 kernels, of {patterns} "
            "networks (methods that find them, times shares of the cost), and from "
            f"1 to {MOST_GUIDES} patterns can be carried"
        )
    for there in spec.transfer_to:
        try:
            guides = [STAND_INS[grain] for grain in sorted(set(grains))]
            validate(spec.carried_to(there, guides), paths, memory)
        except (SpecError, ModelError) as error:
            raise SpecError(f"transfer_to {there.arch} on {there.dataset_name}: {error}") from error


def _check_tickets(tickets: Tickets, network: Network, steps: int) -> None:
    """Raise SpecError unless there is something to cut, and something left to train."""
    if tickets.grain == "channel" and not network.groups:
        raise SpecError(f"{network.config.arch} has no channels that tickets could cut; use grain 'weight'")
    if tickets.grain == "weight" and not rates_of(network, tickets.rates):
        raise SpecError("these tickets cut nothing: every layer that takes part has a rate of 0")
    if tickets.rewind_steps >= steps:
        raise SpecError(
            f"tickets are set back to step {tickets.rewind_steps:,}, and training has {steps:,}; ask for fewer"
        )


PASSED: LRUCache[tuple[str, int, bool], Coupling] = LRUCache(256)
"""What was tried of a network, and went well, as it was traced then."""


def _try(network: Network, batch: int, cuts: bool) -> None:
    """Run a network, and cut it, before hours of training. Raises SpecError or ModelError. What went well is not tried
    again: of a thousand searches that are queued, most are of a few networks."""
    tried = (network.config.id, batch, cuts)
    if PASSED.get(tried) is network.coupling:
        return
    _check_one_image(network)
    _check_batch(network, batch)
    if cuts:
        self_check(network.config)
    PASSED[tried] = network.coupling


def _check_one_image(network: Network) -> None:
    """Raise SpecError unless one image alone, as the last of a split may be, gives one row."""
    config, expected = network.config, (1, network.config.classes)
    try:
        found = tuple(network.on_meta().eval()(torch.empty((1, *config.shape), device="meta")).shape)
    except Exception as error:  # whatever a network's own forward may raise
        raise SpecError(f"{config.arch} does not take one image alone: {error}") from error
    if found != expected:
        raise SpecError(
            f"{config.arch} gives {found} for one image instead of {expected}: a dimension of one is dropped that is "
            "not named, as squeeze() does; name it, as squeeze(-1) does"
        )


def _check_batch(network: Network, batch: int) -> None:
    """Raise SpecError if a training step of this batch size is impossible (batch norm needs two values a channel)."""
    try:
        network.on_meta().train()(torch.empty((batch, *network.config.shape), device="meta"))
    except ValueError as error:
        raise SpecError(
            f"a batch of {batch} images cannot be trained on: {error}; use a larger batch_size or data set"
        ) from error


def _size(spec: JobSpec, network: Network, budget: Budget | Ratios) -> Cost:
    """What a uniform network costs at a budget. Raises SpecError if nothing that the job asks for can meet it."""
    coupling, keep = network.coupling, spec.minimum_keep
    grains = [methods.create(method) for method in spec.methods]
    for method in grains:
        if isinstance(method, WeightMethod):
            room_for(network, method.weights(network), budget)
        elif method.grain == "block":
            check_blocks(network, budget)
    guided = any(guide.kernels and guide.budget in (None, budget) for guide in spec.guides)
    if guided or "uniform_weights" in spec.baselines:
        room_for(network, usual_weights(network), budget)
    if not _cuts_channels(spec) and isinstance(budget, Budget):
        return Cost(*(int(budget.keep * cost) for cost in network.cost))
    order = allocate.uniform(coupling.groups, keep)
    return coupling.cost(allocate.allocate(order, coupling, allocate.as_cost(budget, coupling, keep), keep))


def _cuts_channels(spec: JobSpec) -> bool:
    """Whether any arm keeps some channels of a group, and not single weights or whole blocks."""
    return (
        any(guide.keep for guide in spec.guides)
        or any(methods.create(method).grain == "channel" for method in spec.methods)
        or any(baseline != "uniform_weights" for baseline in spec.baselines)
    )


def _lengths(candidates: tuple[Candidate, ...], dense: Cost, sizes: dict[str, Cost]) -> Iterator[tuple[int, int]]:
    """For each candidate its epochs, and the multiply-adds of one forward pass."""
    for candidate in candidates:
        small = sizes.get(content_hash(candidate.budget), dense) if candidate.budget else dense
        try:
            epochs = matched(candidate.recipe, dense, small).epochs
        except ValidationError as error:
            raise _beyond(error) from error
        yield 0 if candidate.init == "untuned" else epochs, small.macs
