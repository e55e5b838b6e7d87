"""A network as one Python file that builds it without Espalier."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from espalier.models.architectures import architecture
from espalier.models.config import ChannelConfig
from espalier.models.layers import layer_of
from espalier.models.layers.draw import InitScheme, draw_normal, glorot, zero
from espalier.models.network import build
from espalier.models.tensors import precision_of, state_of
from espalier.search.errors import SpecError
from espalier.search.exports.base import CLOSE, Source, difference
from espalier.search.exports.standalone import Assembled, fill, initialise, load, place, unpacked, values
from espalier.search.exports.symbolic import Symbolic, constructor, imports, symbolic, written
from espalier.search.file import File
from espalier.search.results import Preprocessing

_FILE = '''"""{arch} with {params:,} parameters and {macs:,} multiply-adds, found by Espalier.

    from {module} import build
    net = build()                          # fresh weights, as Espalier trains it from scratch with seed 0
    net = build("weights.safetensors")     # trained weights

Needs {needs}. Input: [batch, {input}]; output: [batch, {classes}].
{wanted}{masked}"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, device, inf, nan, nn
{imports}
CONFIG = json.loads({config!r})
{preparation}

# --- how it is put together and drawn -------------------------------------------------------------------------------


{helpers}

# --- the network ----------------------------------------------------------------------------------------------------

SCHEME = {scheme}
DRAWS = {{{draws}}}
LAYERS = {{
{layers}
}}
TENSORS = {{
{tensors}
}}
CONSTANTS = {constants!r}  # buffers that are in no file of weights
TIES = {ties!r}  # parameters that are others, which stand in their place


class Network(Assembled):
    def __init__(self) -> None:
        super().__init__(LAYERS, TENSORS, CONSTANTS, TIES)

{forward}


def build(weights: str | None = None, seed: int = 0) -> nn.Module:
    """The network with trained weights from a safetensors file, or with fresh ones; what no layer's rule draws is as
    with seed 0."""
    net = Network()
    initialise(net, [*LAYERS], DRAWS, SCHEME, seed)
    if weights is not None:
        fill(net, load(weights), TIES)
    return net
'''

_WANTED = """
It was trained on {dataset}: pixels in [0, 1], less the mean of each channel, divided by its deviation, which is what
`prepare(pixels)` gives. CLASSES says what each output stands for.
"""

_PREPARATION = '''CLASSES = {classes}
MEAN, STD = {mean}, {std}


def prepare(pixels: Tensor) -> Tensor:
    """Pixels in [0, 1], [batch, channels, height, width], as the network was trained to see them."""
    if not pixels.is_floating_point() or (pixels.numel() and float(pixels.max()) > 2):
        raise ValueError("pixels are numbers from 0 to 1; bytes from 0 to 255 are divided by 255 first")
    mean, std = (torch.tensor(values, device=pixels.device).view(-1, 1, 1) for values in (MEAN, STD))
    return (pixels - mean) / std
'''

_MASKED = """
Single weights of it are cut: they are zero in its trained weights. Fresh weights are the whole network's.
"""

_HELPERS = (
    InitScheme, draw_normal, glorot, zero,
    values, unpacked, place, Assembled, initialise, load, fill,
)  # fmt: skip


def to_python(source: Source) -> File:
    """One Python file with a function `build(weights=None)` that needs torch alone, or torch and torchvision."""
    return File(python_file(source.config, source.preprocessing).encode(), "text/x-python", "py")


def python_file(config: ChannelConfig, seen: Preprocessing | None = None) -> str:
    """The file's text, tried out: the network and, where it is known, what its images went through.

    Raises SpecError if this network cannot be written down.
    """
    source = Source(config, None)
    found = symbolic(source.network.module.eval())
    needed = [*dict.fromkeys(line for code in (found.forward, found.training) if code for line in imports(code))]
    cost = source.network.cost
    text = _FILE.format(
        arch=config.arch,
        module=f"espalier_{config.id[:8]}",
        needs="torch and torchvision" if any("torchvision" in line for line in needed) else "torch alone",
        params=cost.params,
        macs=cost.macs,
        input=", ".join(map(str, config.shape)),
        classes=config.classes,
        wanted="" if seen is None else _WANTED.format(dataset=_plain(seen.dataset)),
        masked="" if config.mask is None else _MASKED,
        imports="\n".join([*needed, ""]),
        config=config.model_dump_json(),
        preparation="" if seen is None else _preparation(seen),
        **_code(found, source, architecture(config.arch).init),
    )
    _try_out(text, config.model_copy(update={"mask": None}))
    return text


def _code(found: Symbolic, source: Source, scheme: InitScheme) -> dict[str, Any]:
    """The parts of the file that are code."""
    draws = _draws(found)
    return {
        "helpers": "\n\n".join(inspect.getsource(one) for one in (*_HELPERS, *dict.fromkeys(draws.values()))),
        "scheme": repr(scheme),
        "draws": ", ".join(f"nn.{kind.__name__}: {draw.__name__}" for kind, draw in draws.items()),
        "layers": "\n".join(f'    "{path}": lambda: nn.{constructor(one)},' for path, one in found.layers.items()),
        "tensors": "\n".join(f'    "{path}": lambda: {written(one)},' for path, one in found.tensors.items()),
        "constants": sorted(set(found.tensors) - set(source.network.module.state_dict())),
        "ties": found.ties,
        "forward": _forward(found),
    }


def _forward(found: Symbolic) -> str:
    """The forward pass; where training takes another way, both."""
    if found.training is None:
        return _method(found.forward, "forward")
    chosen = "    def forward(self, images):\n        return (self.trains if self.training else self.evaluates)(images)"
    return f"{chosen}\n\n{_method(found.training, 'trains')}\n\n{_method(found.forward, 'evaluates')}"


def _method(code: Any, name: str) -> str:
    """The code that fx writes as a method of that name."""
    text = code.src[code.src.index("def forward") :].strip("\n").replace("def forward", f"def {name}", 1)
    return "\n".join("    " + line if line else "" for line in text.splitlines())


def _draws(found: Symbolic) -> dict[type[nn.Module], Any]:
    """How the weights of each kind of layer in the file are drawn."""
    known = (layer_of(module) for layer in found.layers.values() for module in layer.modules())
    return {layer.kind: layer.draw for layer in known if layer is not None and layer.draw is not None}


def _preparation(seen: Preprocessing) -> str:
    return _PREPARATION.format(classes=list(seen.classes), mean=list(seen.mean), std=list(seen.std))


def _plain(name: str) -> str:
    """A name as words of a docstring, which nothing in it ends or escapes from."""
    return ascii(name)[1:-1].replace("\\", "/").replace('"', "'")


def _try_out(text: str, config: ChannelConfig) -> None:
    """Build the network from the file and compare before the file leaves: fresh weights by seed, and what is computed
    with given ones."""
    net, namespace = build(config).eval(), dict[str, Any]()
    x = torch.randn((2, *config.shape), generator=torch.Generator().manual_seed(0)).to(precision_of(net))
    try:
        exec(compile(text, "<export>", "exec", dont_inherit=True), namespace)  # our own code, written just above
        with torch.random.fork_rng(devices=[]):
            rebuilt = namespace["build"](seed=0).eval()
        fresh, drawn = state_of(rebuilt), state_of(net)
        unlike = [name for name, tensor in drawn.items() if not torch.equal(fresh[name], tensor)]
        given = build(config, seed=1)
        _move_buffers(given)
        namespace["fill"](rebuilt, state_of(given), namespace["TIES"])
        net.load_state_dict(given.state_dict())
        evaluating = _difference(net, rebuilt, x)
        training = _difference(net.train(), rebuilt.train(), x)
    except Exception as error:  # whatever a layer's constructor makes of what it prints
        words = " ".join(str(error).split())[:300]
        raise SpecError(
            f"this network cannot be written as one Python file: {type(error).__name__}: {words}"
        ) from error
    if unlike:
        raise SpecError(f"as a Python file this network would draw other weights: {', '.join(unlike[:3])}")
    for what, by in (("differ", evaluating), ("train otherwise, and differ", training)):
        if not by <= CLOSE:
            raise SpecError(f"as a Python file this network would {what} by {by:.2g} of its largest output")


@torch.no_grad()
def _move_buffers(net: nn.Module) -> None:
    """Move what a network learns besides its parameters, as training does."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state_of(net).items():
        if tensor.is_floating_point() and name not in dict(net.named_parameters()):
            tensor.add_(torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype), alpha=0.1)


@torch.no_grad()
def _difference(net: nn.Module, other: nn.Module, x: Tensor) -> float:
    """How much two networks differ where chance is the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = net(x)
        torch.manual_seed(0)
        return difference(expected, other(x))
