"""Running a network in shapes alone, and carrying the labels of its channels along.

The network's own code runs as it is, with tensors that have no memory. Every function of torch that it calls comes by
here: it is told the shapes, and a rule says where the channels lie in what it gives. So a layer is understood by what
it runs, whatever its class, and code may look at everything but the number of channels (`channels/counts.py`).
"""

from __future__ import annotations

import linecache
import math
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from espalier.models.channels.counts import Attribute, Count, Listed
from espalier.models.channels.graph import ChannelGraph, Owned
from espalier.models.channels.labels import Labels, NotUnderstood
from espalier.models.channels.value import Value
from espalier.models.layers import follow_tensors
from espalier.models.tracing import plain
from espalier.models.tracing.call import Call
from espalier.models.tracing.operations import Asking, Operation, operation_of
from espalier.models.tracing.shapes import Given, OnlyShapes, numbers_of, tensors_of


class Step(NamedTuple):
    """A function that gave tensors, and where their channels lie."""

    function: Any
    shapes: tuple[tuple[int, ...], ...]
    axes: tuple[tuple[list[int] | None, ...], ...]
    numbers: list[float | None]
    """Those that it was told; None for a count, which other widths change."""


class Run(OnlyShapes):
    """While this is active, the network's code runs in shapes alone, and the labels are carried along."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.graph = ChannelGraph(net)
        self.steps: list[Step] = []
        self.ended = False
        self.attributes: list[Attribute] = []
        """Numbers that modules keep."""
        self.understood = True
        """Whether every function was, so that all multiply-adds are known."""
        self._values: dict[int, Value] = {}
        self._tensors: list[Tensor] = []  # what is not forgotten has an identity of its own
        self._claims: set[int] = set()  # counts that the present rule has followed
        self._let_out: dict[float, list[tuple[Count, str]]] = {}
        self._followed_numbers: set[int] = set()
        self._modules = [*net.named_modules()]
        self._paths = {id(module): path for path, module in self._modules}
        self._now = ""

    @property
    def labels(self) -> Labels:
        """All labels of the network."""
        return self.graph.labels

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        operation = operation_of(func)
        if operation.asking is not None and str(sys._getframe(1).f_globals.get("__name__")).startswith(_BENEATH):
            unseen = f"this goes where tracing cannot see, as into a scripted function or vmap{self.where()}"
            self.labels.keep(self.value(args[0]).labels, unseen)
        if operation.asking is Asking.NOTHING:
            return func(*args, **options)
        if operation.asking is Asking.SIZES:
            return self._sizes(operation.name, args[0], (*args[1:], *options.values()), func(*args, **options))
        given = self.given(args, options)
        output = given.call(func)
        if not given.tensors and not (given.counts and operation.rule):
            return self._constant(operation, output, given)
        if given.has_values and not given.counts and not any(id(one) in self._values for one in given.tensors):
            return output
        return self._followed(func, operation, args, options, output, given)

    def _constant(self, operation: Operation, output: Any, given: Given) -> Any:
        """What is made of numbers alone, among which a number of channels is none that is understood."""
        self._now = operation.name
        self._keep_unclaimed(given)
        return output

    def _keep_unclaimed(self, given: Given) -> None:
        """Keep the channels whose numbers a function was given, where its rule has not followed them."""
        for count in given.counts:
            if id(count) not in self._claims:
                count.hold()
                self.keep(count.labels, "computes with the number of these channels")
        self._claims.clear()

    # --- what is known of tensors -----------------------------------------------------------------------------------

    def value(self, tensor: Tensor) -> Value:
        """Where the channels of a tensor lie."""
        if id(tensor) in self._values:
            return self._values[id(tensor)]
        name = self.graph.name(tensor)
        if not name:
            unseen = "it comes from something that tracing cannot see" if tensor.is_meta else ""
            return Value((None,) * tensor.dim(), unseen)
        if reason := self.graph.reason(name):
            return Value((None,) * tensor.dim(), reason)
        if not tensor.is_floating_point():
            self.graph.exclude([name], reason := f"{name} is used by more than its layer")
            return Value((None,) * tensor.dim(), reason)
        if not isinstance(tensor, nn.Parameter) and sum(size > 1 for size in tensor.shape) > 1:
            return Value((None,) * tensor.dim(), f"{name} is a table")
        axes = tuple(self.graph.axis(name, dim) if size > 1 else None for dim, size in enumerate(tensor.shape))
        return Value(axes, zero=any(axis is not None for axis in axes), source=name)

    def watch_numbers(self, all_of_them: bool = True) -> None:
        """From now on, numbers that modules keep are followed: what layers say of their tensors and, if all of them
        are, what modules of somebody's own say of nobody knows what."""
        for path, module in self._modules:
            if (all_of_them and not _is_torchs(module)) or _says_more_than_its_tensors(module):
                own = {name: self._watched(path, name, kept) for name, kept in vars(module).items() if _is_count(kept)}
                vars(module).update(own)
            follow_tensors(module)

    def _watched(self, path: str, name: str, kept: Any, place: int | None = None) -> Any:
        """What a module keeps, with counts for numbers."""
        if type(kept) is int:
            if kept < 2:
                return kept
            self.attributes.append(attribute := Attribute(path, name, kept, place))
            return Count.of(kept, attribute, self)
        return type(kept)(self._watched(path, name, number, at) for at, number in enumerate(kept))

    def start(self, images: Tensor) -> None:
        """Say what the network is given."""
        self._note(images, Value((None,) * images.dim()))

    def _note(self, tensor: Tensor, value: Value) -> None:
        if id(tensor) not in self._values:
            self._tensors.append(tensor)
        axes = tuple(axis if size > 1 else None for axis, size in zip(value.axes, tensor.shape, strict=True))
        self._values[id(tensor)] = value if axes == value.axes else value._replace(axes=axes)

    # --- functions --------------------------------------------------------------------------------------------------

    def _followed(
        self,
        func: Any,
        operation: Operation,
        args: tuple[Any, ...],
        options: Mapping[str, Any],
        output: Any,
        given: Given,
    ) -> Any:
        self._now = operation.name
        writes = operation.name == "setitem"
        outputs = [cast(Tensor, args[0])] if writes else [*tensors_of(output)]
        try:
            values = self._by_rule(self._call(operation, args, options, output, given), operation, outputs)
        except NotUnderstood as problem:
            values = self._behind(str(problem), given.tensors, outputs)
            self._claims.clear()
        self._keep_unclaimed(given)
        if outputs and not given.has_values:
            shapes, axes = tuple(tuple(one.shape) for one in outputs), tuple(v.axes for v in values)
            self.steps.append(Step(func, shapes, axes, numbers_of(args, options)))
        if operation.in_place or writes:
            self._overwrite(outputs, values)
            return output
        for one, value in zip(outputs, values, strict=True):
            self._note(one, value)
        if operation.rule is plain.elementwise and (options.get("inplace") or any(part is True for part in args)):
            self._fill(given.tensors[0])  # an activation that may work in place
        return output

    def _call(
        self, operation: Operation, args: tuple[Any, ...], options: Mapping[str, Any], output: Any, given: Given
    ) -> Call:
        if (operation.counting and not given.has_stale) or not given.counts:
            return Call(self, operation.name, args, options, output)
        return Call(self, operation.name, given.plain_args, given.plain_options, output)

    def _by_rule(self, call: Call, operation: Operation, outputs: Sequence[Tensor]) -> list[Value]:
        if operation.rule is None:
            raise NotUnderstood("is not understood")
        if call.kwargs.get("out") is not None:
            raise NotUnderstood("writes into another tensor")
        found = operation.rule(call)
        values = [found] if isinstance(found, Value) else [*found]
        for one, value in zip(outputs, values, strict=True):
            sizes = [None if axis is None else len(axis) for axis in value.axes]
            if len(sizes) != one.dim() or any(n not in (None, size) for n, size in zip(sizes, one.shape, strict=True)):
                raise NotUnderstood("changes its channels in an unknown way")
        return [value if value.reason or value.has_channels else self._explained(value, call) for value in values]

    def _explained(self, value: Value, call: Call) -> Value:
        """Where channels are no more, why they stay where they were."""
        tensors = tensors_of((call.args, *call.kwargs.values()))
        before = (label for one in tensors for label in self.value(one).labels[:1])
        return value._replace(reason=next(filter(None, map(self.labels.reason, before)), ""))

    def _behind(self, problem: str, tensors: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Value]:
        """What comes out of a function that is not understood: all that reaches it stays, for the first reason."""
        self.understood = False
        reason = self.described(problem)
        named = {self.graph.name(tensor): tensor for tensor in tensors if self.graph.name(tensor)}
        known = [self.value(tensor) for tensor in tensors if not self.graph.name(tensor)]
        for value in known:
            self.labels.keep(value.labels, reason)
        self.graph.exclude(named, reason)
        for name, tensor in named.items():
            if tensor.dim() > 1:
                self.graph.unknown.setdefault(name.rpartition(".")[0] or name, reason)
        first = next((value.reason for value in known if value.reason), "")
        behind = reason if not first or any(value.has_channels for value in known) else first
        return [Value((None,) * output.dim(), behind) for output in outputs]

    def _overwrite(self, outputs: Sequence[Tensor], values: Sequence[Value]) -> None:
        """What was changed in place is zero where it was before, and where what was written is."""
        for one, value in zip(outputs, values, strict=True):
            if name := self.graph.name(one):
                self.graph.exclude([name], self.described(f"changes {name}"))
                continue
            zero = value.zero and self.value(one).zero
            self._note(one, value._replace(zero=zero))
            if not zero:
                self._fill(one)

    def _fill(self, changed: Tensor) -> None:
        """What was changed is zero no more, by whatever name it goes."""
        memory = changed.untyped_storage()._cdata
        for tensor in self._tensors:
            if tensor.untyped_storage()._cdata == memory:
                self._values[id(tensor)] = self._values[id(tensor)]._replace(zero=False, source="", scale="")

    # --- numbers in the code ----------------------------------------------------------------------------------------

    def _sizes(self, name: str, tensor: Tensor, args: tuple[Any, ...], found: Any) -> Any:
        """What the network's code asks of a shape: counts, where channels lie."""
        sources = self._sources(tensor)
        if not any(sources):
            return found
        sizes = [
            size if source is None else Count.of(size, source, self)
            for size, source in zip(tensor.shape, sources, strict=True)
        ]
        if isinstance(found, torch.Size):
            return torch.Size(sizes)
        if name == "size":
            return sizes[args[0]]
        if name == "len":  # Python makes a plain number of it, whatever it is
            if isinstance(sizes[0], Count):
                self.let_out(sizes[0], found)
            return found
        return math.prod(sizes)

    def _sources(self, tensor: Tensor) -> list[Any]:
        name = self.graph.name(tensor)
        if name:
            return [Owned(self.graph, name, dim) if size > 1 else None for dim, size in enumerate(tensor.shape)]
        value = self._values.get(id(tensor))
        return [] if value is None else [axis and Listed(axis) for axis in value.axes]

    def claim(self, count: Count) -> None:
        """A rule has followed what depends on a count."""
        self._claims.add(id(count))

    def claimed(self, number: float) -> list[Count]:
        """The counts that a plain number in the network's code may have been made from."""
        return [count for count, _ in self._let_out.get(number, [])]

    def let_out(self, count: Count, number: float) -> None:
        """The network's code made a plain number of a count."""
        reason = f"the number of these channels is computed with{self.where()}"
        self._let_out.setdefault(number, []).append((count, reason))

    def spilled(self, count: Count, use: str) -> None:
        """The network's code did something with a count that a cut would change."""
        self.labels.keep(count.labels, f"the number of these channels {use}{self.where()}")

    def finish(self) -> None:
        """The run is over. Keep the channels whose number became a plain one of which nobody knows what became."""
        for counts in self._let_out.values():
            for count, reason in counts:
                if id(count) not in self._followed_numbers:
                    count.hold()
                    self.labels.keep(count.labels, reason)
        for (tensor, dim), labels in self.graph.labels_of.items():
            if dim > 1 and tensor in self.graph.kernels:
                self.labels.keep(labels, f"{tensor} is a kernel")
        self.ended = True

    def followed(self, count: Count) -> None:
        """A rule has followed what depends on a number that was made from this count."""
        self._followed_numbers.add(id(count))

    def may_change(self, number: float) -> bool:
        """Whether a plain number that the code told a function was made of a count, and followed."""
        return any(id(count) in self._followed_numbers for count in self.claimed(number))

    def multiplies(self) -> None:
        """Note that there are multiply-adds which belong to no weight."""
        self.understood = False

    # --- words ------------------------------------------------------------------------------------------------------

    def keep(self, labels: Sequence[int], why: str) -> None:
        """Keep channels, because of what this function does with them."""
        if any(self.labels.reason(label) is None for label in labels):
            self.labels.keep(labels, self.described(why))

    def described(self, problem: str) -> str:
        """What is wrong, with the layer or the function that it is wrong with, and its line."""
        layer = self._layer()
        return f"{layer} {problem}" if layer else f"{self._now} {problem}{self.where()}"

    def _layer(self) -> str:
        """The layer of torch's own that is running, if it is one."""
        for frame in _frames():
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module):
                known = id(module) in self._paths and _is_torchs(module)
                return f"{type(module).__name__} {self._paths[id(module)]}" if known else ""
        return ""

    def where(self) -> str:
        """The line of the network's own code that is running, or the layer of torch's."""
        layer = self._layer()
        if layer:
            return f" in {layer}"
        return next((_line(frame) for frame in _frames() if not _is_a_librarys(frame)), "")

    def where_of(self, error: Exception) -> str:
        """The layer, or the line of the network's own code, in which an error was raised."""
        for frame, _ in reversed([*traceback.walk_tb(error.__traceback__)]):
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module) and self._paths.get(id(module)) and _is_torchs(module):
                return f" at {self._paths[id(module)]}"
            if not _is_a_librarys(frame) and not _is_ours(frame):
                return _line(frame)
        return ""


_BENEATH = ("torch._prims", "torch._refs", "torch._meta_registrations", "torch._functorch")
"""Where torch works out what it was not asked for by a function that tracing is told of."""


def _frames() -> Iterator[FrameType]:
    """The frames of the network's code that is running, from the innermost."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    while frame is not None and not _is_ours(frame):
        yield frame
        frame = frame.f_back


def _is_a_librarys(frame: FrameType) -> bool:
    """Whether it is the code of torch or NumPy that runs there, which nobody asked about."""
    return any(f"/{library}/" in frame.f_code.co_filename for library in ("torch", "numpy"))


def _is_ours(frame: FrameType) -> bool:
    """Whether it is tracing that runs there; the networks of the zoo are as other people's."""
    name = str(frame.f_globals.get("__name__", ""))
    return name.startswith("espalier.models.") and not name.startswith("espalier.models.zoo.")


def _says_more_than_its_tensors(module: nn.Module) -> bool:
    """Whether a layer of torch's keeps a number of channels that it has no tensor for: a norm without scale."""
    return isinstance(module, _NormBase) and not (
        module._parameters.get("weight") is not None or module._buffers.get("running_mean") is not None
    )


def _is_count(kept: Any) -> bool:
    """Whether it may say how many channels there are: a number, or a tuple or list of them."""
    if type(kept) in (tuple, list):
        return {int}.issuperset(map(type, kept)) and max(kept, default=0) > 1
    return type(kept) is int and kept > 1


def _is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.")


def _line(frame: FrameType) -> str:
    code = frame.f_code
    text = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f" in {code.co_qualname}, line {frame.f_lineno} ({text})"
