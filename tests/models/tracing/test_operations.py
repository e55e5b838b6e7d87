"""The list of functions: each leaves channels prunable in some use, exactly; what is not listed freezes them."""

# ruff: noqa: B008  (a function of a loop is bound where it is made)

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from espalier.models.tracing.operations import FUNCTIONS, Asking, Operation, operation_of
from tests.models.networks import Forward, conv
from tests.models.tracing.examples import found, kept

ONE_BY_ONE = [
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "tanh",
    "hardswish",
    "softsign",
    "tanhshrink",
    "softshrink",
    "hardshrink",
    "relu6",
    "rrelu",
    "sigmoid",
    "hardsigmoid",
    "hardtanh",
    "softplus",
]
OF_TORCH = [
    "abs",
    "neg",
    "negative",
    "square",
    "sin",
    "tan",
    "atan",
    "sinh",
    "erf",
    "expm1",
    "round",
    "floor",
    "ceil",
    "trunc",
    "sign",
    "nan_to_num",
    "exp",
    "cos",
    "exp2",
    "clone",
    "detach",
    "positive",
    "real",
    "ones_like",
    "zeros_like",
]
METHODS = [
    "contiguous",
    "float",
    "double",
    "half",
    "bfloat16",
    "cpu",
    "requires_grad_",
    "int",
    "long",
    "bool",
    "fill_",
    "zero_",
    "normal_",
    "uniform_",
    "exponential_",
    "bernoulli_",
]
POSITIVE = ["sqrt", "log", "log1p", "rsqrt", "reciprocal", "log2", "log10"]
POOLS = ["max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool"]


def _examples() -> Iterator[tuple[str, Forward, dict[str, Any]]]:
    """A name, a use of it that leaves the channels of `a` prunable, and layers that it needs."""
    for name in ONE_BY_ONE:
        yield name, lambda m, x, f=getattr(F, name): m.b(f(m.a(x))), {}
    for name in OF_TORCH:
        yield name, lambda m, x, f=getattr(torch, name): m.b(m.a(x) + f(m.a(x)).to(x.dtype) * 0.1), {}
    for name in METHODS:
        noise = name in ("normal_", "uniform_", "exponential_", "bernoulli_")
        yield (
            name.strip("_"),
            lambda m, x, f=getattr(torch.Tensor, name), g=0 if noise else 0.1: m.b(
                m.a(x) + f(m.a(x).clone(), *([2] if f is torch.Tensor.fill_ else [])).to(x.dtype) * g
            ),
            {},
        )
    for name in POSITIVE:
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x).abs() + 1)), {}
    for name in POOLS:
        size = (2,) if "adaptive" in name else ((2.0, 2) if name == "lp_pool" else (2, 1))
        for rank in (1, 2, 3):
            yield (
                f"{name}{rank}d",
                lambda m, x, f=getattr(F, f"{name}{rank}d"), r=rank, s=size: m.b(
                    f(m.a(x).unflatten(3, (2, 4)) if r == 3 else m.a(x).flatten(2) if r == 1 else m.a(x), *s)
                    .flatten(2)
                    .unsqueeze(-1)
                ),
                {},
            )
    yield from _others()


def _others() -> Iterator[tuple[str, Forward, dict[str, Any]]]:
    wide = {"b": conv(16, 2)}
    flat = {"b": nn.Linear(8, 2)}
    vector = {"v": nn.Parameter(torch.rand(8))}
    yield "asin", lambda m, x: m.b(torch.asin(torch.sin(m.a(x)))), {}
    yield "log_sigmoid", lambda m, x: m.b(F.logsigmoid(m.a(x))), {}
    for name in ("rand_like", "randn_like"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(m.a(x) + 0 * f(m.a(x))), {}
    for name in ("dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout"):
        yield name, lambda m, x, f=getattr(F, name): m.b(f(m.a(x), 0.5, training=False)), {}
    yield "dropout1d", lambda m, x: m.b(F.dropout1d(m.a(x).flatten(2), training=False)[..., None]), {}
    yield "dropout3d", lambda m, x: m.b(F.dropout3d(m.a(x)[..., None], training=False)[..., 0]), {}
    yield "conv1d", lambda m, x: m.b(m.c(m.a(x).flatten(2)).unsqueeze(2)), {"c": nn.Conv1d(8, 8, 3)}
    yield "conv2d", lambda m, x: m.b(F.conv2d(m.a(x), m.w)), {"w": nn.Parameter(torch.rand(8, 8, 3, 3))}
    yield "conv3d", lambda m, x: m.b(m.c(m.a(x)[..., None]).squeeze(-1)), {"c": nn.Conv3d(8, 8, (3, 3, 1))}
    yield "conv_transpose1d", lambda m, x: m.b(m.c(m.a(x).flatten(2))[..., None]), {"c": nn.ConvTranspose1d(8, 8, 3)}
    yield "conv_transpose2d", lambda m, x: m.b(m.c(m.a(x))), {"c": nn.ConvTranspose2d(8, 8, 2, 2)}
    yield (
        "conv_transpose3d",
        lambda m, x: m.b(m.c(m.a(x)[:, :, None]).squeeze(2)),
        {"c": nn.ConvTranspose3d(8, 8, (1, 2, 2))},
    )
    yield "linear", lambda m, x: m.b(m.a(x).mean((2, 3))), flat
    yield "matmul", lambda m, x: m.a(x).mean((2, 3)) @ m.w, {"w": nn.Parameter(torch.rand(8, 2))}
    yield "mm", lambda m, x: torch.mm(m.a(x).mean((2, 3)), m.w), {"w": nn.Parameter(torch.rand(8, 2))}
    yield (
        "mv",
        lambda m, x: m.b(m.a(x) * torch.mv(m.w, m.u).view(1, -1, 1, 1)),
        {
            "w": nn.Parameter(torch.rand(8, 5)),
            "u": nn.Parameter(torch.rand(5)),
        },
    )
    yield "dot", lambda m, x: m.b(m.a(x) * m.v.view(-1, 1, 1) * torch.dot(m.v, m.v)), vector
    yield "vdot", lambda m, x: m.b(m.a(x) * m.v.view(-1, 1, 1) * torch.vdot(m.v, m.v)), vector
    yield "bmm", lambda m, x: m.b(m.a(x)) + torch.bmm(x[:, 0], x[:, 1]).mean(), {}
    yield "einsum", lambda m, x: torch.einsum("bchw,oc->bohw", m.a(x), m.w), {"w": nn.Parameter(torch.rand(2, 8))}
    yield (
        "embedding",
        lambda m, x: m.b(m.a(x) + m.table(torch.zeros(1, dtype=torch.long)).view(1, -1, 1, 1)),
        {"table": nn.Embedding(4, 8)},
    )
    yield "batch_norm", lambda m, x: m.b(m.n(m.a(x))), {"n": nn.BatchNorm2d(8)}
    yield "instance_norm", lambda m, x: m.b(m.n(m.a(x))), {"n": nn.InstanceNorm2d(8, affine=True)}
    yield "layer_norm", lambda m, x: m.b(m.n(m.a(x))), {"n": nn.LayerNorm([8, 8])}
    yield "rms_norm", lambda m, x: m.b(m.n(m.a(x))), {"n": nn.RMSNorm([8, 8])}
    yield "group_norm", lambda m, x: m.b(m.a(x)) + F.group_norm(m.c(x), 2).mean(1, True), {"c": conv(3, 8)}
    yield "normalize", lambda m, x: m.b(F.normalize(m.a(x), dim=1)), {}
    yield "weight_norm", lambda m, x: m.b(m.c(m.a(x))), {"c": nn.utils.parametrizations.weight_norm(conv(8, 8))}
    yield "prelu", lambda m, x: m.b(m.p(m.a(x))), {"p": nn.PReLU(8)}
    yield "sum", lambda m, x: m.b(m.a(x)) + m.a(x).sum(1, keepdim=True), {}
    yield "norm", lambda m, x: m.b(m.a(x) / (1 + m.a(x).norm(dim=1, keepdim=True))), {}
    yield (
        "linalg_vector_norm",
        lambda m, x: m.b(m.a(x) / (1 + torch.linalg.vector_norm(m.a(x), dim=1, keepdim=True))),
        {},
    )
    for name in ("mean", "amax", "amin", "var", "std", "logsumexp"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), (2, 3))), flat
    for name in ("max", "min"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x).flatten(2), 2)[0]), flat
    for name in ("prod", "argmax", "argmin"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x).flatten(2), 2).to(x.dtype)), flat
    for name in ("any", "all"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x).flatten(2) > 0, 2).to(x.dtype)), flat
    for name in ("var_mean", "std_mean"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), (2, 3))[0]), flat
    for name in ("softmax", "log_softmax", "softmin"):
        yield name, lambda m, x, f=getattr(F, name): m.b(f(m.a(x), 3)), {}
    for name in ("cumsum", "cumprod"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), 3)), {}
    yield "flip", lambda m, x: m.b(m.a(x).flip(2, 3)), {}
    yield "roll", lambda m, x: m.b(torch.roll(m.a(x), 1, 2)), {}
    yield "interpolate", lambda m, x: m.b(F.interpolate(m.a(x), scale_factor=2)), {}
    yield "grid_sample", lambda m, x: m.b(F.grid_sample(m.a(x), x[:, :2].permute(0, 2, 3, 1), align_corners=False)), {}
    yield "max_pool2d_with_indices", lambda m, x: m.b(F.max_pool2d(m.a(x), 2, return_indices=True)[0]), {}
    yield (
        "adaptive_max_pool2d_with_indices",
        lambda m, x: m.b(F.adaptive_max_pool2d(m.a(x), 2, return_indices=True)[0]),
        {},
    )
    for name in ("threshold", "clamp", "clip"):
        arguments = (0.1, 0.2)
        yield name, lambda m, x, f=getattr(F, name, None) or getattr(torch, name), a=arguments: m.b(f(m.a(x), *a)), {}
    for name in ("clamp_min", "clamp_max"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), 0.1)), {}
    yield "logical_not", lambda m, x: m.b(torch.logical_not(m.a(x) > 0).to(x.dtype)), {}
    for name in ("isnan", "isfinite"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(m.a(x) * f(m.a(x))), {}
    yield "full_like", lambda m, x: m.b(m.a(x) * torch.full_like(m.a(x), 2)), {}
    yield "empty_like", lambda m, x: m.b(m.a(x) * torch.empty_like(m.a(x)).fill_(2)), {}
    yield "to", lambda m, x: m.b(m.a(x).to(torch.float64)), {}
    yield "new_tensor", lambda m, x: m.b(m.a(x) * m.a(x).new_tensor(0.5)), {}
    yield "type", lambda m, x: m.b(m.a(x).type(torch.float64)), {}
    yield "type_as", lambda m, x: m.b(m.a(x).type_as(x[:, :1])), {}
    yield "data", lambda m, x: m.b(m.a(x).data), {}
    yield "feature_dropout", lambda m, x: m.b(torch.feature_dropout(m.a(x), 0.1, False)), {}
    for name in ("add", "sub", "mul", "maximum", "minimum", "fmax", "fmin", "subtract", "multiply"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), m.c(x))), {"c": conv(3, 8)}
    for name in ("div", "divide", "true_divide"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), m.c(x).abs() + 1)), {"c": conv(3, 8)}
    yield "rsub", lambda m, x: m.b(1 - m.a(x)), {}
    yield "rdiv", lambda m, x: m.b(1 / (m.a(x).abs() + 1)), {}
    yield "pow", lambda m, x: m.b(m.a(x) ** 2), {}
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), 0.1).to(x.dtype)), {}
    for name in ("logical_and", "logical_or"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x) > 0, m.c(x) > 0).to(x.dtype)), {"c": conv(3, 8)}
    yield "atan2", lambda m, x: m.b(torch.atan2(m.a(x), m.c(x) + 9)), {"c": conv(3, 8)}
    yield "addcmul", lambda m, x: m.b(torch.addcmul(m.a(x), m.c(x), m.c(x))), {"c": conv(3, 8)}
    yield "lerp", lambda m, x: m.b(torch.lerp(m.a(x), m.c(x), 0.3)), {"c": conv(3, 8)}
    yield "where", lambda m, x: m.b(torch.where(m.a(x) > 0, m.a(x), m.c(x))), {"c": conv(3, 8)}
    yield "masked_fill", lambda m, x: m.b(m.a(x).masked_fill(m.a(x) > 0, 0.5)), {}
    yield "expand_as", lambda m, x: m.b(m.a(x) * m.a(x).mean((2, 3), keepdim=True).expand_as(m.a(x))), {}
    for name in ("cat", "concat", "concatenate"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f([m.a(x), m.c(x)], 1)), {"c": conv(3, 8), **wide}
    yield "stack", lambda m, x: m.b(torch.stack([m.a(x), m.c(x)], 1).sum(1)), {"c": conv(3, 8)}
    yield "view", lambda m, x: m.b(m.a(x).view(x.size(0), -1, 64).view(x.size(0), -1, 8, 8)), {}
    yield "reshape", lambda m, x: m.b(m.a(x).reshape(x.size(0), -1)), {"b": nn.Linear(512, 2)}
    yield "view_as", lambda m, x: m.b((y := m.a(x)).flatten(2).view_as(y)), {}
    yield "reshape_as", lambda m, x: m.b((y := m.a(x)).flatten(2).reshape_as(y)), {}
    yield "unflatten", lambda m, x: m.b(m.a(x).flatten(2).unflatten(2, (8, 8))), {}
    yield "flatten", lambda m, x: m.b(torch.flatten(m.a(x), 1)), {"b": nn.Linear(512, 2)}
    yield "permute", lambda m, x: m.b(m.a(x).permute(0, 2, 3, 1)).mean((1, 2)), flat
    yield "transpose", lambda m, x: m.b(m.a(x).transpose(2, 3)), {}
    yield "swapaxes", lambda m, x: m.b(torch.swapaxes(m.a(x), 2, 3)), {}
    yield "swapdims", lambda m, x: m.b(m.a(x).swapdims(2, 3)), {}
    yield "t", lambda m, x: m.a(x).mean((2, 3)) @ m.w.t(), {"w": nn.Parameter(torch.rand(2, 8))}
    yield "T", lambda m, x: m.a(x).mean((2, 3)) @ m.w.T, {"w": nn.Parameter(torch.rand(2, 8))}
    yield "mT", lambda m, x: m.b(m.a(x).mT), {}
    yield "movedim", lambda m, x: m.b(m.a(x).movedim(1, -1).movedim(-1, 1)), {}
    yield "squeeze", lambda m, x: m.b(m.a(x).mean((2, 3), keepdim=True).squeeze(3).squeeze(2)), flat
    yield "unsqueeze", lambda m, x: m.b(m.a(x) * m.v.unsqueeze(1).unsqueeze(2)), vector
    yield "expand", lambda m, x: m.b(m.a(x).mean((2, 3), keepdim=True).expand(-1, -1, 4, 4)), {}
    yield "broadcast_to", lambda m, x: m.b(m.a(x) * m.v.view(-1, 1, 1).broadcast_to(m.a(x).shape)), vector
    yield "repeat", lambda m, x: m.b(m.a(x).repeat(1, 2, 1, 1)), wide
    yield "tile", lambda m, x: m.b(m.a(x).tile(1, 2, 1, 1)), wide
    yield "repeat_interleave", lambda m, x: m.b(m.a(x).repeat_interleave(2, 1)), wide
    yield "pixel_shuffle", lambda m, x: m.b(F.pixel_shuffle(m.a(x), 2)), {"b": conv(2, 2)}
    yield "pixel_unshuffle", lambda m, x: m.b(F.pixel_unshuffle(m.a(x), 2)), {"b": conv(32, 2)}
    yield "channel_shuffle", lambda m, x: m.b(F.channel_shuffle(m.a(x), 2)), {}
    yield "native_channel_shuffle", lambda m, x: m.b(torch.native_channel_shuffle(m.a(x), 2)), {}
    yield "unfold", lambda m, x: m.b(F.unfold(m.a(x), 2).mean(2)), {"b": nn.Linear(32, 2)}
    yield "getitem", lambda m, x: m.b(m.a(x)[:, :, ::2]), {}
    yield "select", lambda m, x: m.b(m.a(x).select(3, 0).mean(2)), flat
    yield "narrow", lambda m, x: m.b(m.a(x).narrow(2, 1, 3)), {}
    yield "chunk", lambda m, x: m.b(torch.mul(*m.a(x).chunk(2, 1))), {"b": conv(4, 2)}
    yield "tensor_split", lambda m, x: m.b(torch.mul(*m.a(x).tensor_split(2, 1))), {"b": conv(4, 2)}
    yield "split", lambda m, x: m.b(torch.mul(*(y := m.a(x)).split(y.shape[1] // 2, 1))), {"b": conv(4, 2)}
    yield "split_with_sizes", lambda m, x: m.b(m.a(x).split_with_sizes([3, 5], 2)[1]), {}
    yield "unbind", lambda m, x: m.b(m.a(x).unbind(2)[0].mean(2)), flat
    yield "glu", lambda m, x: m.b(F.glu(m.a(x), 1)), {"b": conv(4, 2)}
    yield "pad", lambda m, x: m.b(F.pad(m.a(x), (1, 0, 2, 1), "reflect")), {}
    yield (
        "index_select",
        lambda m, x: m.b(torch.index_select(m.c(x), 1, m.i) + m.a(x)),
        {
            "c": conv(3, 8),
            "i": torch.arange(8),
        },
    )
    for name in ("remainder", "fmod"):
        yield name, lambda m, x, f=getattr(torch, name): m.b(f(m.a(x), 0.3)), {}
    yield "rpow", lambda m, x: m.b(2 ** m.a(x)), {}
    yield "hstack", lambda m, x: m.b(torch.hstack([m.a(x), m.c(x)])), {"c": conv(3, 8), **wide}
    yield (
        "broadcast_tensors",
        lambda m, x: m.b(torch.mul(*torch.broadcast_tensors(m.a(x), m.a(x).mean((2, 3), keepdim=True)))),
        {},
    )
    yield "gather", lambda m, x: m.b((y := m.a(x)).gather(2, y.argmax(2, keepdim=True).expand(-1, -1, 4, -1))), {}
    yield "sort", lambda m, x: m.b(m.a(x).sort(2)[0]), {}
    yield "topk", lambda m, x: m.b(m.a(x).flatten(2).topk(4)[0][..., None]), {}
    yield "fold", lambda m, x: m.b(F.fold(F.unfold(m.a(x), 2), 8, 2)), {}
    yield (
        "addmm",
        lambda m, x: m.b(torch.addmm(m.v, m.a(x).mean((2, 3)), m.w)),
        {"w": nn.Parameter(torch.rand(8, 8)), **vector, **flat},
    )
    yield (
        "baddbmm",
        lambda m, x: m.b(m.a(x)) + torch.baddbmm(x[:, 0], x[:, 1], x[:, 2]).mean(),
        {},
    )
    yield "zeros", lambda m, x: m.b(torch.cat([y := m.a(x), torch.zeros(y.shape, dtype=x.dtype)], 1)), wide
    yield "ones", lambda m, x: m.b((y := m.a(x)) * torch.ones(1, y.size(1), 1, 1, dtype=x.dtype)), {}
    yield "full", lambda m, x: m.b((y := m.a(x)) * torch.full((1, y.size(1), 1, 1), 2.0, dtype=x.dtype)), {}
    yield "empty", lambda m, x: m.b((y := m.a(x)) * torch.empty(y.size(1), 1, 1, dtype=x.dtype).fill_(3)), {}
    yield "new_zeros", lambda m, x: m.b(torch.cat([y := m.a(x), y.new_zeros(y.shape)], 1)), wide
    yield "new_ones", lambda m, x: m.b((y := m.a(x)) * y.new_ones(1, y.size(1), 1, 1)), {}
    yield "new_full", lambda m, x: m.b((y := m.a(x)) * y.new_full((1, y.size(1), 1, 1), 2)), {}
    yield "new_empty", lambda m, x: m.b((y := m.a(x)) * y.new_empty(1, y.size(1), 1, 1).fill_(3)), {}
    yield "setitem", _overwritten, {}


def _overwritten(m: Any, x: torch.Tensor) -> Any:
    y = m.a(x)
    z = y.clone()
    z[:, :, 1:] = y[:, :, :-1]
    return m.b(z)


EXAMPLES = [*_examples()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "forward", "layers"), EXAMPLES, ids=[name for name, *_ in EXAMPLES])
def test_a_function_leaves_channels_prunable_and_is_followed_exactly(
    name: str, forward: Forward, layers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    rule = FUNCTIONS[name]
    monkeypatch.setitem(FUNCTIONS, name, lambda call: (asked.append(call), rule(call))[1])
    coupling = found(forward, **layers)
    assert asked, "the function is in the example"
    assert any(part.tensor.startswith(("a.", "c.")) for group in coupling.groups for part in group.slices), (
        coupling.kept
    )


def test_what_takes_its_arguments_in_another_order_than_the_function_of_that_name_is_not_understood() -> None:
    def normed(m: Any, x: torch.Tensor) -> Any:
        return m.b(
            torch.batch_norm(m.a(x), m.n.weight, m.n.bias, m.n.running_mean, m.n.running_var, False, 0, 0, False)
        )

    assert kept(normed, n=nn.BatchNorm2d(8)).startswith("batch_norm is not understood")


def test_functions_of_torchs_own_library_are_known_by_their_names() -> None:
    assert found(lambda m, x: m.b(torch.ops.aten.relu(m.a(x)))).widths == {"a": 8}


def test_every_function_on_the_list_has_an_example() -> None:
    others = {  # other names of the same, which torch gives on some paths or in other releases
        "iadd", "radd", "isub", "imul", "rmul", "idiv", "truediv", "itruediv", "rtruediv", "unsafe_view", "iter",
        "alias", "masked", "cuda",
    }  # fmt: skip
    assert set(FUNCTIONS) - {name for name, *_ in EXAMPLES} == others & set(FUNCTIONS)


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda m, x: m.b(torch.softmax(m.a(x), 1)), "softmax works along the channels"),
        (lambda m, x: m.b(m.a(x) * m.a(x).mean(1, keepdim=True)), "mean reduces over channels"),
        (lambda m, x: m.b(m.a(x)[:, torch.arange(8)]), "getitem takes what a tensor or a list says"),
        (lambda m, x: m.b(torch.fft.fft(m.a(x)).real), "fft_fft is not understood"),
        (lambda m, x: m.b(torch.sort(m.a(x), 1)[0]), "sort is not understood"),
        (lambda m, x: m.b(1 / m.a(x)), "rdiv divides by a tensor"),
        (lambda m, x: m.b(F.group_norm(m.a(x), 2)), "group_norm normalises over channels"),
        (lambda m, x: m.b(F.conv2d(m.a(x), torch.ones(8, 8, 1, 1, dtype=x.dtype))), "not the network's own"),
    ],
)
def test_what_is_not_understood_is_frozen_with_the_function_and_the_line(forward: Forward, reason: str) -> None:
    why = kept(forward)
    assert reason in why
    assert " in <lambda>, line " in why


class Doubling(torch.autograd.Function):
    """Somebody's own function, which tracing sees through."""

    @staticmethod
    def forward(_context: Any, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Twice as much."""
        return x * 2


def test_a_function_of_somebodys_own_is_what_it_runs() -> None:
    assert found(lambda m, x: m.b(Doubling.apply(m.a(x)))).widths == {"a": 8}


def test_one_name_stands_for_function_method_operator_and_what_writes_in_place() -> None:
    for function in (torch.add, torch.Tensor.add, torch.Tensor.add_, torch.Tensor.__add__):
        assert operation_of(function).rule is FUNCTIONS["add"]
    assert operation_of(torch.Tensor.add_).in_place
    assert not operation_of(torch.Tensor.add).in_place
    assert operation_of(torch.Tensor.__iadd__).in_place


def test_what_says_nothing_of_channels_is_told_from_what_says_sizes() -> None:
    assert operation_of(torch.Tensor.dim).asking is Asking.NOTHING
    assert operation_of(torch.Tensor.dtype.__get__).asking is Asking.NOTHING  # type: ignore[attr-defined]
    assert operation_of(torch.Tensor.shape.__get__).asking is Asking.SIZES  # type: ignore[attr-defined]
    assert operation_of(torch.Tensor.stride).rule is None


def test_somebodys_function_of_a_known_name_is_not_known() -> None:
    def relu(x: torch.Tensor) -> torch.Tensor:
        return x.flip(1)

    assert operation_of(relu) == Operation("relu", is_torchs=False)
    assert operation_of(relu).rule is None
