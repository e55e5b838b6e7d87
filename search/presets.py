"""Widths that papers give: of an architecture, by name, the share that each channel group keeps. No torch.

From the released code of Liu et al. 2019 (1810.05270), which trains these networks from scratch; what is not named
stays whole, as there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

Shares = Mapping[str, float]
"""Channel group -> share kept."""


def _li_cifar(blocks: int, keep: tuple[float, float, float], whole: Collection[int]) -> Shares:
    """Li et al. 2017, CIFAR ResNets: the first convolution of each block, by stage; some blocks stay whole."""
    shares = {block: keep[block // (blocks // 3)] for block in range(blocks) if block not in whole}
    return {f"blocks.{block}.conv1": share for block, share in shares.items() if share < 1}


def _li_resnet34(keep: tuple[float, float, float]) -> Shares:
    """Li et al. 2017, ImageNet's ResNet-34: likewise, the last stage whole."""
    whole = {0, 3, 6, 7, 12, 13, 14, 15}
    lengths = (3, 4, 6)
    names = [(stage, block) for stage, length in enumerate(lengths) for block in range(length)]
    return {
        f"layer{stage + 1}.{block}.conv1": keep[stage]
        for index, (stage, block) in enumerate(names)
        if index not in whole
    }


def _thinet_resnet50(keep: float) -> Shares:
    """Luo et al. 2017: the first two convolutions of every bottleneck."""
    return {
        f"layer{stage}.{block}.conv{conv}": keep
        for stage, length in enumerate((3, 4, 6, 3), start=1)
        for block in range(length)
        for conv in (1, 2)
    }


_VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""The convolutions of VGG-16 without batch norms."""


def _vgg16(widths: Sequence[int]) -> Shares:
    """These widths of the first convolutions."""
    whole = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    return {f"features.{place}": width / of for place, width, of in zip(_VGG16, widths, whole, strict=False)}


_THINET_VGG16 = (32, 32, 64, 64, 128, 128, 128, 256, 256, 256)


def _he_resnet50() -> Iterator[tuple[str, float]]:
    """He et al. 2017: the first two convolutions of every bottleneck. Their samplers, by which the first one reads
    fewer channels of the stream, are not there: torchvision's network has nothing to select with."""
    stages = (
        ((64, 55), (51, 39), (50, 37)),
        ((128, 106), (105, 72), (105, 72), (128, 110)),
        ((256, 225), (209, 147), (204, 158), (212, 155), (211, 148), (256, 213)),
        ((512, 433), (512, 437), (512, 440)),
    )
    for stage, blocks in enumerate(stages):
        for block, widths in enumerate(blocks):
            for conv, width in enumerate(widths, start=1):
                if width < 64 << stage:
                    yield f"layer{stage + 1}.{block}.conv{conv}", width / (64 << stage)


PRESETS: Mapping[str, Mapping[str, Shares]] = {
    "vgg16": {
        "li2017-A": {f"features.{place}": 0.5 for place in (0, 24, 27, 30, 34, 37, 40)},
        "thinet-gap": _vgg16(_THINET_VGG16),
        "thinet-tiny": _vgg16((16, 16, 32, 32, 64, 64, 64, 128, 128, 128, 128, 128, 256)),
    },
    "resnet56": {
        "li2017-A": _li_cifar(27, (0.9, 0.9, 0.9), {7, 9, 18, 26}),
        "li2017-B": _li_cifar(27, (0.4, 0.7, 0.9), {7, 8, 9, 16, 18, 26}),
    },
    "resnet110": {
        "li2017-A": _li_cifar(54, (0.5, 1, 1), {17}),
        "li2017-B": _li_cifar(54, (0.5, 0.6, 0.7), {17, 18, 36}),
    },
    "torchvision/resnet34": {
        "li2017-A": _li_resnet34((0.7, 0.7, 0.7)),
        "li2017-B": _li_resnet34((0.5, 0.4, 0.6)),
    },
    "torchvision/resnet50": {
        **{f"thinet-{round(100 * keep)}": _thinet_resnet50(keep) for keep in (0.7, 0.5, 0.3)},
        "he2017-2x-inside": dict(_he_resnet50()),
    },
    "torchvision/vgg16": {
        "thinet-conv": _vgg16(_THINET_VGG16),
        "he2017-5x": _vgg16((24, 22, 41, 51, 108, 89, 111, 184, 276, 228)),
    },
}
"""Architecture -> name of its preset -> what each group keeps."""


OPTIONS: Mapping[str, Mapping[str, object]] = {name: {"batch_norm": False} for name in ("thinet-gap", "thinet-tiny")}
"""Preset -> options of the architecture that it is for, where it is not for any."""


def preset(arch: str, name: str, options: Mapping[str, object] | None = None) -> Shares:
    """The shares of a preset, of an architecture with these options.

    Raises ValueError if the architecture has none of that name, with those there are, or if it is for other options.
    """
    found = PRESETS.get(arch, {})
    if name not in found:
        there = f"there are: {', '.join(found)}" if found else f"only these have any: {', '.join(PRESETS)}"
        raise ValueError(f"no preset {name[:100]!r} of {arch[:100]}; {there}")
    wanted, given = OPTIONS.get(name, {}), options or {}
    if any(given.get(option) != value for option, value in wanted.items()):
        raise ValueError(f"preset {name} of {arch} is for options {json.dumps(dict(wanted))}, got {dict(given)}")
    return found[name]
