"""From a channel config to a network: what it is cut from, whether it is one, and how it is built."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch
from pydantic import JsonValue, ValidationError
from torch import Tensor, nn

from espalier.models.architectures import Architecture, architecture
from espalier.models.config import ChannelConfig, ChannelGroup, ChannelMask, Cost, Shape
from espalier.models.copies import on_meta, replace, with_memory, with_tensors, without_memory
from espalier.models.document import Frozen
from espalier.models.errors import ArchitectureError, ConfigError, SurgeryError
from espalier.models.initialise import check_initialisable, drawn, initialise, is_drawn, undrawn_on_meta
from espalier.models.one_output import OneOutput
from espalier.models.surgery import prune, silence
from espalier.models.tensors import fill, named_tensors, selected
from espalier.models.tracing.coupling import Coupling
from espalier.models.tracing.forward import unwrapped
from espalier.models.tracing.probe import resized
from espalier.models.tracing.trace import trace
from espalier.models.weight_mask import WeightMask
from espalier.models.weights import load_weights


class Network:
    """A config, its module, and how the channels of the dense network it is cut from are coupled.

    One made by `Network.of` has no weights yet: what is drawn lies on the meta device. Nothing here changes a network;
    every method gives another one.
    """

    def __init__(
        self,
        config: ChannelConfig,
        coupling: Coupling,
        module: nn.Module | None = None,
        weight_mask: WeightMask | None = None,
    ) -> None:
        self.config = config
        self.coupling = coupling
        self.weight_mask = weight_mask
        """Which single weights are kept, where not all are."""
        if module is not None:
            self.module = module

    @classmethod
    def of(cls, config: ChannelConfig) -> Network:
        """The network that a config describes. Its dense network is traced once per process.

        Raises ConfigError, UnknownArchitecture, ArchitectureError (options or input refused) or TraceError, before
        any memory is taken.
        """
        _, coupling = _dense_of(config)
        validate(config)
        return cls(config, coupling)

    @cached_property
    def module(self) -> nn.Module:
        """The network itself. Without weights, only those of its tensors have values that are no matter of drawing:
        selected channels, position tables and the like."""
        skeleton, coupling = _dense_of(self.config)
        net = resized(skeleton, coupling, self.widths)
        for buffer in {group.selection.buffer.tensor for group in coupling.groups if group.selection}:
            net.get_buffer(buffer).copy_(_selected(skeleton, coupling, buffer, self.config))
        return net

    @property
    def groups(self) -> tuple[ChannelGroup, ...]:
        """The channel groups of the dense network."""
        return self.coupling.groups

    @property
    def widths(self) -> dict[str, int]:
        """Channels of every group. One that the config does not name is whole: the release that wrote the config did
        not know that it can be cut."""
        return self.coupling.widths | self.config.widths

    @property
    def cost(self) -> Cost:
        """Parameters and multiply-adds for one input. Allocates nothing."""
        return self.coupling.cost(self.widths)

    @property
    def counted(self) -> Cost:
        """The same, but for single weights that a mask sets to zero: they cost nothing."""
        return self.cost if self.weight_mask is None else self.weight_mask.nonzero(self.cost, self.coupling)

    @property
    def is_dense(self) -> bool:
        """Whether every channel is there."""
        return self.widths == self.coupling.widths

    def fresh(self, seed: int = 0) -> Network:
        """With fresh weights, drawn deterministically by `seed`; never larger than it must be.

        Parameters of layers that have no rule, and the network's own, are as the network's constructor draws them.
        Raises ConfigError for a config with a mask over single weights, which this network does not have.
        """
        if self.config.mask is not None:
            raise ConfigError("this config has a mask over single weights, which only its trained weights come with")
        net = with_memory(self._bare())
        fill(net, self._drawn_by_itself(seed))
        initialise(net, seed, architecture(self.config.arch).init)
        return Network(self.config, self.coupling, net)

    def _drawn_by_itself(self, seed: int) -> dict[str, Tensor]:
        """Parameters that the network's constructor draws, as it draws them with this seed."""
        skeleton, coupling = _dense_of(self.config)
        if seed == 0 or not _own_parameters(skeleton):  # as in nearly all networks
            return {}
        config = self.config
        made = _made(config.arch, config.options, config.classes, config.shape, seed)
        return _own_parameters(resized(made, coupling, self.widths))

    def with_weights(self, path: Path) -> Network:
        """With the weights of a safetensors file. Raises WeightsError if they are not this network's."""
        net = with_memory(self._bare())
        load_weights(net, path)
        return Network(self.config, self.coupling, net)

    def prune(self, mask: ChannelMask, check: bool = True) -> Network:
        """The smaller network with the kept channels only, weights inherited. See `surgery.prune`."""
        if not self.is_dense:
            raise SurgeryError("this network was cut already; cut the dense one by one mask")
        return Network(thinned(self, mask), self.coupling, prune(self.module, self.coupling, mask, check))

    def silence(self, mask: ChannelMask) -> Network:
        """The network of the same size in which the cut channels are zero. See `surgery.silence`."""
        return Network(self.config, self.coupling, silence(self.module, self.coupling, mask))

    def masked(self, mask: WeightMask) -> Network:
        """The same network with zero for every weight that the mask does not keep. Raises WeightsError if it does not
        fit."""
        mask.check(self.module)
        config = self.config.model_copy(update={"mask": mask.hash})
        result = Network(config, self.coupling, with_tensors(self.module, {}), mask)
        mask.apply(result.module)
        return result

    def on_meta(self) -> nn.Module:
        """The module in shapes alone: nothing has memory."""
        return on_meta(self.module)

    def _bare(self) -> nn.Module:
        return Network(self.config, self.coupling).module


def build(config: ChannelConfig, seed: int = 0) -> nn.Module:
    """The module of a config with fresh weights. See `Network.of` and `Network.fresh`."""
    return Network.of(config).fresh(seed).module


def dense(
    arch: str, classes: int | None = None, shape: Shape | None = None, options: Mapping[str, JsonValue] | None = None
) -> ChannelConfig:
    """The config of the whole network; classes and input shape default to the architecture's own.

    Options that say no more than the defaults are left out, so that one network has one config.
    """
    entry = architecture(arch)
    bare = ChannelConfig.of_classifier(
        arch,
        chosen_options(entry, options or {}).model_dump(mode="json", exclude_defaults=True),
        entry.classes if classes is None else classes,
        entry.shape if shape is None else shape,
        {},
    )
    return bare.model_copy(update={"widths": _dense_of(bare)[1].widths})


def thinned(network: Network, mask: ChannelMask) -> ChannelConfig:
    """The config of what `prune` makes of a dense network with this mask.

    Which channels were kept is noted where it cannot be forgotten: in groups that select from a shared stream, and
    lost some.
    """
    selecting = {group.name for group in network.groups if group.selection}
    picks = {
        name: tuple(kept.nonzero().flatten().tolist())
        for name, kept in mask.kept.items()
        if name in selecting and not kept.all()
    }
    return network.config.model_copy(update={"widths": mask.widths, "picks": picks})


# --- the dense network ----------------------------------------------------------------------------------------------


def _dense_of(config: ChannelConfig) -> tuple[nn.Module, Coupling]:
    """The dense network a config is cut from, without weights, and how its channels are coupled."""
    ranks = [[len(spec.shape) for spec in specs] for specs in (config.inputs, config.outputs)]
    if ranks != [[3], [1]]:
        inputs, outputs = ([spec.shape for spec in specs] for specs in (config.inputs, config.outputs))
        raise ConfigError(
            "a network takes one image (channels, height, width) and gives one number for each class; this config has "
            f"inputs of shape {inputs} and outputs of shape {outputs}"
        )
    return _traced(config.arch, json.dumps(config.options, sort_keys=True), config.classes, config.shape)


@functools.lru_cache(maxsize=64)
def _traced(arch: str, options: str, classes: int, shape: Shape) -> tuple[nn.Module, Coupling]:
    skeleton = _made(arch, json.loads(options), classes, shape)
    check_initialisable(skeleton)
    coupling = trace(skeleton, shape)
    if coupling.output != (classes,):
        raise ArchitectureError(
            f"{arch} must give {classes} numbers for an image, one for each class; it gives numbers "
            f"of shape {coupling.output}"
        )
    return skeleton, coupling


def _made(arch: str, options: Mapping[str, JsonValue], classes: int, shape: Shape, seed: int = 0) -> nn.Module:
    """What an architecture's factory gives; what layers' rules draw later holds no memory."""
    entry = architecture(arch)
    chosen = chosen_options(entry, options)

    def make() -> nn.Module:
        torch.manual_seed(seed)  # position tables and the like are the same in every process
        net = entry.make(chosen, classes, shape)
        if not isinstance(net, nn.Module):
            raise TypeError(f"the factory gives {type(net).__name__}, not a network")
        return unwrapped(net) if entry.output is None else OneOutput(unwrapped(net), entry.output)

    try:
        with torch.random.fork_rng(devices=[]):
            try:
                with without_memory(is_drawn):
                    skeleton: nn.Module | None = make()
            except (RuntimeError, NotImplementedError):  # a constructor that computes with its layers
                skeleton = None
            if skeleton is None or undrawn_on_meta(skeleton):  # or that makes a table where one of them is
                skeleton = make()
                replace(skeleton, {name: torch.empty_like(t, device="meta") for name, t in drawn(skeleton).items()})
            return skeleton
    except ArchitectureError:
        raise
    except (Exception, SystemExit) as error:  # a factory's own code may raise anything
        words = f"{type(error).__name__}: {error}"
        raise ArchitectureError(f"{arch} cannot be made for {classes} classes of {shape}: {words}") from error


def _own_parameters(net: nn.Module) -> dict[str, Tensor]:
    """Parameters that no layer's rule draws, by name."""
    return {
        name: tensor
        for name, tensor in named_tensors(net).items()
        if isinstance(tensor, nn.Parameter) and tensor.requires_grad and not tensor.is_meta
    }


def forget_traced() -> None:
    """Trace networks again when they are next asked for: the registry was changed."""
    _traced.cache_clear()


def chosen_options(entry: Architecture, options: Mapping[str, JsonValue]) -> Frozen:
    """The options of an architecture, checked. Raises ArchitectureError."""
    try:
        return entry.options.model_validate(options)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors())
        allowed = ", ".join(entry.options.model_fields) or "none"
        raise ArchitectureError(f"options of {entry.name!r}: {problems} (there are: {allowed})") from error


def _selected(skeleton: nn.Module, coupling: Coupling, buffer: str, config: ChannelConfig) -> Tensor:
    """What is left of a selection's index buffer, of which every group has a part."""
    parts = [(part, group) for group in coupling.groups for part in group.slices if part.tensor == buffer]
    index = skeleton.get_buffer(buffer)
    for part, group in sorted(parts, key=lambda item: -item[0].start):
        channels = torch.tensor(config.picks.get(group.name, range(group.width)))
        index = selected(index, part, channels, group.width)
    return index


# --- whether a config is one ----------------------------------------------------------------------------------------


def validate(config: ChannelConfig) -> None:
    """Raise ConfigError unless the config names groups of its network alone, with widths that they can have."""
    known = {group.name: group for group in _dense_of(config)[1].groups}
    for field in (config.widths, config.picks):
        if unknown := sorted(set(field) - set(known)):
            there = ", ".join(known) or "none"
            raise ConfigError(f"{config.arch} has no group {', '.join(map(repr, unknown))}; there are: {there}")
    for name, group in known.items():
        width = config.widths.get(name, group.width)
        if not 1 <= width <= group.width:
            raise ConfigError(f"group {name!r} has 1 to {group.width} channels, got {width}")
        _validate_selected(group, width, config.picks.get(name))


def _validate_selected(group: ChannelGroup, width: int, picks: tuple[int, ...] | None) -> None:
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
