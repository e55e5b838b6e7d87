"""From a channel config to a network, and back: what it is cut from, whether it is one, and how it is built."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from espalier.models.architectures import Architecture, architecture
from espalier.models.config import SCHEMA_VERSION, ChannelConfig, ChannelGroup, ChannelMask, Frozen
from espalier.models.coupling import Coupling, Shape, resized, trace
from espalier.models.errors import ArchitectureError, ConfigError
from espalier.models.initialise import COVERED, DRAWN, check_initialisable, initialise
from espalier.models.tensors import on_meta, picked, with_memory, without_memory
from pydantic import JsonValue, ValidationError
from torch import Tensor, nn


@dataclass(frozen=True)
class Blueprint:
    """A dense network without weights, and how its channels are coupled."""

    skeleton: nn.Module
    """Layers that `initialise` covers are on the meta device: shapes, no memory. What else holds tensors (position
    tables, class tokens) has the values of its own constructor."""
    coupling: Coupling


def blueprint(config: ChannelConfig) -> Blueprint:
    """The dense network a config is cut from. Traced once per process and architecture.

    Raises UnknownArchitecture, ArchitectureError (options or input refused) or TraceError.
    """
    return _blueprint(config.arch, json.dumps(config.options, sort_keys=True), config.classes, config.shape)


@functools.lru_cache(maxsize=64)
def _blueprint(arch: str, options: str, classes: int, shape: Shape) -> Blueprint:
    entry = architecture(arch)
    chosen = _chosen(entry, json.loads(options))
    try:
        with without_memory(COVERED, DRAWN), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # position tables and the like are the same in every process
            skeleton = entry.make(chosen, classes, shape)
        if not isinstance(skeleton, nn.Module):
            raise TypeError(f"the factory gives {type(skeleton).__name__}, not a network")
    except ArchitectureError:
        raise
    except (Exception, SystemExit) as error:  # a factory's own code may raise anything
        words = f"{type(error).__name__}: {error}"
        raise ArchitectureError(f"{arch} cannot be made for {classes} classes of {shape}: {words}") from error
    check_initialisable(skeleton)
    coupling = trace(skeleton, shape)
    if coupling.output != (classes,):
        raise ArchitectureError(
            f"{arch} must give {classes} numbers for an image, one for each class; it gives numbers "
            f"of shape {coupling.output}"
        )
    return Blueprint(skeleton, coupling)


def _chosen(entry: Architecture, options: Mapping[str, JsonValue]) -> Frozen:
    try:
        return entry.options.model_validate(options)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
        allowed = ", ".join(entry.options.model_fields) or "none"
        raise ArchitectureError(f"options of {entry.name!r}: {problems} (there are: {allowed})") from error


def groups(config: ChannelConfig) -> tuple[ChannelGroup, ...]:
    """The channel groups of the dense network this config is cut from."""
    return blueprint(config).coupling.groups


def dense(
    arch: str, classes: int | None = None, shape: Shape | None = None, options: Mapping[str, JsonValue] | None = None
) -> ChannelConfig:
    """The config of the whole network; classes and input shape default to the architecture's own.

    Options that say no more than the defaults are left out, so that one network has one config.
    """
    entry = architecture(arch)
    bare = ChannelConfig(
        arch=arch,
        options=_chosen(entry, options or {}).model_dump(mode="json", exclude_defaults=True),
        classes=entry.classes if classes is None else classes,
        shape=entry.shape if shape is None else shape,
        widths={},
    )
    return bare.model_copy(update={"widths": blueprint(bare).coupling.widths})


def thinned(whole: ChannelConfig, mask: ChannelMask) -> ChannelConfig:
    """The config of what `prune` makes of the whole network with this mask.

    Which channels were kept is noted where it cannot be forgotten: in groups that select from a shared stream, and
    lost some.
    """
    selecting = {group.name for group in groups(whole) if group.selection}
    picks = {
        name: tuple(kept.nonzero().flatten().tolist())
        for name, kept in mask.kept.items()
        if name in selecting and not kept.all()
    }
    return whole.model_copy(update={"widths": mask.widths, "picks": picks})


def validate(config: ChannelConfig) -> None:
    """Raise ConfigError unless the config names every group of its network with a width it can have."""
    if config.schema_version != SCHEMA_VERSION:
        raise ConfigError(f"this is schema version {config.schema_version}; this release reads {SCHEMA_VERSION}")
    known = {group.name: group for group in groups(config)}
    for field in (config.widths, config.picks):
        if unknown := sorted(set(field) - set(known)):
            there = ", ".join(known) or "none"
            raise ConfigError(f"{config.arch} has no group {', '.join(map(repr, unknown))}; there are: {there}")
    for name, group in known.items():
        if name not in config.widths:
            raise ConfigError(f"the width of group {name!r} is missing (it has {group.width} channels)")
        if not 1 <= config.widths[name] <= group.width:
            raise ConfigError(f"group {name!r} has 1 to {group.width} channels, got {config.widths[name]}")
        _validate_picks(group, config.widths[name], config.picks.get(name))


def _validate_picks(group: ChannelGroup, width: int, picks: tuple[int, ...] | None) -> None:
    """Picks stand exactly where channels are selected and some are left out, so that one network has one config."""
    needed = group.selection is not None and width < group.width
    if picks is None and needed:
        raise ConfigError(
            f"group {group.name!r} selects {width} of {group.width} channels, and picks must say which, in order"
        )
    if picks is None:
        return
    if group.selection is None:
        raise ConfigError(f"group {group.name!r} does not select channels, so it has no picks")
    if not needed:
        raise ConfigError(f"group {group.name!r} keeps all of its {group.width} channels, so it needs no picks")
    if len(picks) != width:
        raise ConfigError(f"group {group.name!r} has width {width}, but {len(picks)} picks")
    if list(picks) != sorted(set(picks)) or not 0 <= picks[0] <= picks[-1] < group.width:
        raise ConfigError(f"picks of group {group.name!r} are ascending numbers from 0 to {group.width - 1}, each once")


def skeleton(config: ChannelConfig) -> nn.Module:
    """The network of a config on the meta device: shapes without memory. Raises ConfigError before anything else."""
    return on_meta(bare(config))


def build(config: ChannelConfig, seed: int = 0) -> nn.Module:
    """The network of a config with fresh weights, drawn deterministically by `seed`; never larger than it must be.

    Raises ConfigError naming the group that does not fit, before any memory is taken.
    """
    net = with_memory(bare(config))
    initialise(net, seed, architecture(config.arch).weights)
    return net


def bare(config: ChannelConfig) -> nn.Module:
    """The network of a config in which only those tensors have values that are no matter of drawing weights: picks,
    position tables and the like. The others lie on the meta device. Raises ConfigError before anything else."""
    validate(config)
    plan = blueprint(config)
    net = resized(plan.skeleton, plan.coupling, config.widths)
    for buffer in {group.selection.buffer.tensor for group in plan.coupling.groups if group.selection}:
        net.get_buffer(buffer).copy_(_picked(plan, buffer, config))
    return net


def _picked(plan: Blueprint, buffer: str, config: ChannelConfig) -> Tensor:
    """What is left of a selection's index buffer, of which every group owns a part."""
    parts = [(part, group) for group in plan.coupling.groups for part in group.slices if part.tensor == buffer]
    index = plan.skeleton.get_buffer(buffer)
    for part, group in sorted(parts, key=lambda item: -item[0].start):
        channels = torch.tensor(config.picks.get(group.name, range(group.width)))
        index = picked(index, part, channels, group.width)
    return index
