"""The functions that tracing understands, by name: how the channels of their inputs become those of their output.

This is an allow-list. What is not on it, or is used in a way that a rule does not know, raises NotUnderstood, and the
channels that reach it stay dense. One name stands for a function of torch, the method, the operator and what writes in
place. A new function is one rule in this folder, and one line here.
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import Any, NamedTuple

from espalier.models.tracing import joins, moves, norms, pieces, plain, products, reductions
from espalier.models.tracing.call import Rule


def _words(text: str) -> list[str]:
    return text.split()


def _all(text: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(_words(text), rule)


FUNCTIONS: dict[str, Rule] = {
    **_all("conv1d conv2d conv3d", products.convolution),
    **_all("conv_transpose1d conv_transpose2d conv_transpose3d", products.transposed),
    "linear": products.linear,
    **_all("matmul mm mv dot vdot bmm", products.matmul),
    **_all("addmm baddbmm", products.added_to_product),
    "einsum": products.einsum,
    "embedding": products.embedding,
    **_all("batch_norm instance_norm", norms.by_channel),
    **_all("layer_norm rms_norm", norms.over_the_last),
    "group_norm": norms.group_norm,
    "normalize": norms.normalize,
    "weight_norm": norms.weight_norm,
    "prelu": norms.prelu,
    **_all("sum norm linalg_vector_norm", reductions.total),
    **_all("mean amax amin max min var std prod logsumexp any all argmax argmin var_mean std_mean", reductions.reduce),
    **_all("softmax log_softmax softmin cumsum cumprod flip roll sort topk", reductions.within),
    **_all("adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d max_pool1d lp_pool1d", plain.over_last(1)),
    **_all(
        "adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d max_pool2d lp_pool2d adaptive_max_pool2d_with_indices "
        "max_pool2d_with_indices", plain.over_last(2),
    ),
    **_all("adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d max_pool3d lp_pool3d", plain.over_last(3)),
    **_all("interpolate grid_sample", plain.images),
    **_all(
        "relu leaky_relu elu selu celu gelu silu mish tanh hardswish softsign tanhshrink softshrink hardshrink relu6 "
        "rrelu abs neg negative sqrt square sin tan asin atan sinh erf expm1 log1p round floor ceil trunc sign "
        "nan_to_num dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout "
        "contiguous clone detach data float double half bfloat16 type cpu cuda requires_grad alias "
        "real positive masked remainder fmod", plain.keeping_zero,
    ),
    **_all(
        "sigmoid hardsigmoid hardtanh softplus log_sigmoid exp cos threshold clamp clip clamp_min "
        "clamp_max exp2 logical_not isnan isfinite bool int long normal uniform exponential "
        "rand_like randn_like ones_like full_like empty_like bernoulli fill rpow", plain.elementwise,
    ),
    **_all("log log2 log10 rsqrt reciprocal", plain.of_positive),
    **_all("to type_as", plain.as_the_first),
    "new_tensor": plain.constant,
    **_all("zeros_like zero", plain.zeros_like),
    **_all("add iadd radd sub isub rsub subtract maximum minimum fmax fmin", joins.combine),
    **_all("mul imul rmul multiply", joins.multiply),
    **_all("div idiv truediv itruediv divide true_divide", joins.divide),
    **_all("rdiv rtruediv", joins.divided),
    "pow": joins.power,
    **_all("eq ne lt le gt ge logical_and logical_or atan2 addcmul lerp", joins.combine),
    "where": joins.where,
    "masked_fill": joins.masked_fill,
    "expand_as": joins.expand_as,
    "broadcast_tensors": joins.broadcast,
    **_all("cat concat concatenate hstack", joins.concatenate),
    "stack": joins.stack,
    "index_select": pieces.index_select,
    "gather": pieces.gather,
    **_all("view reshape unsafe_view", moves.reshape),
    **_all("view_as reshape_as", moves.reshape_as),
    "unflatten": moves.unflatten,
    "flatten": moves.flatten,
    **_all("permute", moves.permute),
    **_all("transpose swapaxes swapdims", moves.transpose),
    **_all("t T mT", moves.last_two),
    "movedim": moves.movedim,
    "squeeze": moves.squeeze,
    "unsqueeze": moves.unsqueeze,
    **_all("expand broadcast_to", moves.expand),
    **_all("repeat tile", moves.repeat),
    "repeat_interleave": moves.repeat_interleave,
    "pixel_shuffle": moves.pixel_shuffle,
    "pixel_unshuffle": moves.pixel_unshuffle,
    **_all("channel_shuffle native_channel_shuffle", moves.channel_shuffle),
    "unfold": moves.unfold,
    "fold": moves.fold,
    "getitem": pieces.index,
    "setitem": pieces.write,
    "select": pieces.select,
    "narrow": pieces.narrow,
    **_all("chunk tensor_split", pieces.chunk),
    **_all("split split_with_sizes", pieces.split),
    **_all("unbind iter", pieces.unbind),
    "glu": pieces.glu,
    "pad": pieces.pad,
    **_all("zeros new_zeros", plain.filled(zero=True)),
    **_all("ones full empty new_ones new_full new_empty", plain.filled(zero=False)),
}  # fmt: skip


_COUNTING = frozenset(
    _words(
        "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d view reshape unsafe_view unflatten "
        "expand broadcast_to repeat tile getitem setitem narrow split split_with_sizes pad zeros new_zeros ones full "
        "empty new_ones new_full new_empty"
    )
)
"""Functions whose rules look at counts. To other rules they are the numbers that they are, and the channels stay."""


class Asking(Enum):
    """What a function that gives no tensor says of one."""

    NOTHING = "nothing that a cut could change"
    SIZES = "how many of something there are"


_SIZES = frozenset(_words("shape size numel nelement len"))
_NOTHING = frozenset(
    _words(
        "dim ndim ndimension dtype device layout requires_grad is_meta is_cuda is_cpu is_floating_point is_complex "
        "is_signed is_contiguous is_leaf is_sparse is_quantized is_nested is_mkldnn is_mps is_xpu is_inference "
        "is_conj is_neg get_device names grad grad_fn element_size itemsize result_type can_cast is_tensor "
        "retains_grad hash format repr class"
    )
)


class Operation(NamedTuple):
    """What is known of a function."""

    name: str
    is_torchs: bool = True
    asking: Asking | None = None
    in_place: bool = False
    counting: bool = False
    """Whether its rule looks at counts."""

    @property
    def rule(self) -> Rule | None:
        """How channels pass through it, if that is known."""
        return FUNCTIONS.get(self.name) if self.is_torchs else None


@functools.cache
def operation_of(function: Any) -> Operation:
    """What is known of a function that the network's code calls. Somebody's own may have the name of one of torch's."""
    name = str(getattr(function, "__name__", function))
    if name == "__get__":  # of an attribute of tensors
        name = function.__self__.__name__
    short = name.strip("_")
    if not _is_torchs(function) or (short in _REORDERED and not _is_functional(function)):
        return Operation(name, is_torchs=False)
    if short in _SIZES:
        return Operation(short, asking=Asking.SIZES)
    in_place = (name.endswith("_") and not name.endswith("__")) or short in ("iadd", "isub", "imul", "idiv", "itruediv")
    if short in _NOTHING and not in_place:
        return Operation(short, asking=Asking.NOTHING)
    return Operation(short, in_place=in_place, counting=short in _COUNTING)


_REORDERED = frozenset(_words("batch_norm instance_norm embedding"))
"""Functions that take their arguments in another order outside of `torch.nn.functional`."""


def _is_functional(function: Any) -> bool:
    return getattr(function, "__module__", None) == "torch.nn.functional"


def _is_torchs(function: Any) -> bool:
    module = getattr(function, "__module__", None) or "torch"
    return module == "torch" or module.startswith(
        ("torch._C", "torch.nn", "torch.functional", "torch._tensor", "torch._ops.aten")
    )
