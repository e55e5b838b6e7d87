"""One Python file: the same network, the same fresh weights by seed, the same trained ones, without this project."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from espalier.models.config import ChannelConfig
from espalier.models.network import build, forget_traced
from espalier.models.tensors import state_of
from espalier.search.errors import SpecError
from espalier.search.exports import export
from espalier.search.exports.python_file import python_file
from tests.search.exports.helpers import EVERY_KIND, SEEN, own, pruned


@pytest.mark.parametrize("name", EVERY_KIND)
def test_the_python_file_builds_the_network_without_this_project(name: str, tmp_path: Path) -> None:
    """In an empty directory, in an interpreter that cannot see this project, from the file and the weights alone."""
    config = pruned(name)
    net = build(config, 3).eval()
    weights = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(net.state_dict(), weights)
    (tmp_path / "pruned.py").write_bytes(export("python", config, weights).content)
    code = (
        "import sys; sys.modules['espalier'] = sys.modules['safetensors'] = None\n"
        "import torch; from pruned import build, CONFIG\n"
        "torch.set_num_threads(1)\n"
        f"x = torch.ones(2, *{config.shape})\n"
        "fresh = build()\n"
        "assert fresh.train()(x).isfinite().all()\n"
        "print(CONFIG['arch'], build('weights.safetensors').eval()(x).detach().double().flatten().tolist())\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + code],
                         cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    arch, _, values = ran.stdout.partition(" ")
    assert arch == config.arch
    expected = net(torch.ones(2, *config.shape)).detach().double().flatten()
    assert torch.allclose(torch.tensor(json.loads(values), dtype=torch.float64), expected, rtol=1e-4, atol=1e-5)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], nn.Module]], ChannelConfig]]:
    """Names a factory, and gives the config of its network."""
    yield lambda make: own(make, monkeypatch)
    forget_traced()


Register = Callable[[Callable[[], nn.Module]], ChannelConfig]


def run(text: str) -> dict[str, Any]:
    file: dict[str, Any] = {}
    exec(text, file)
    return file


def check(config: ChannelConfig, tmp_path: Path) -> None:
    """Fresh weights by seed, and trained ones, are those of our own network."""
    file, x = run(python_file(config)), torch.randn(2, *config.shape, generator=torch.Generator().manual_seed(0))
    for seed in (0, 3):
        ours, theirs = build(config, seed).eval(), file["build"](seed=seed).eval()
        drawn = state_of(theirs)
        assert state_of(ours).keys() == drawn.keys()
        assert all(torch.equal(value, drawn[name]) for name, value in state_of(ours).items())
        with torch.no_grad():
            assert torch.allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    path = tmp_path / "trained"
    safetensors.torch.save_file({name: value.contiguous() for name, value in state_of(build(config, 9)).items()}, path)
    loaded = state_of(file["build"](str(path)))
    assert all(torch.equal(value, loaded[name]) for name, value in state_of(build(config, 9)).items())


@pytest.mark.parametrize("name", ["lenet300", "lenet5", "vgg11", "resnet20", "preresnet20", "mobilenet_v2"])
def test_fresh_and_trained_weights_are_ours(name: str, tmp_path: Path) -> None:
    check(pruned(name), tmp_path)


def test_slopes_begin_where_the_layer_says(register: Register, tmp_path: Path) -> None:
    def make() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.PReLU(8, init=0.1), nn.PReLU(init=0.3), nn.Flatten(), nn.Linear(288, 2)
        )

    config = register(make)
    check(config, tmp_path)
    net = run(python_file(config))["build"](seed=5)
    slopes = [net.get_parameter(f"{place}.weight") for place in (1, 2)]
    assert [slope.tolist() for slope in slopes] == [pytest.approx([0.1] * 8), pytest.approx([0.3])]


class Attending(nn.Module):
    """A convolution, attention over its pixels, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        words = self.conv(x).flatten(2).transpose(1, 2)
        mixed = self.attention(words, words, words, need_weights=False)[0]
        logits: Tensor = self.head(mixed.mean(1))
        return logits


def test_attention_is_drawn_and_loaded_alike(register: Register, tmp_path: Path) -> None:
    check(register(Attending), tmp_path)


def test_layers_that_share_a_weight_share_it(register: Register, tmp_path: Path) -> None:
    def make() -> nn.Module:
        net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.Flatten(), nn.Linear(192, 2))
        net[2].weight = net[0].weight
        return net

    config = register(make)
    check(config, tmp_path)
    net = run(python_file(config))["build"]()
    assert net.get_parameter("2.weight") is net.get_parameter("0.weight")


def test_fresh_weights_leave_the_world_as_it_was() -> None:
    build_there = run(python_file(pruned("lenet5")))["build"]
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    python_file(pruned("lenet5"))
    assert torch.equal(torch.rand(3), expected)
    assert build_there(seed=1).training


def test_a_name_of_a_data_set_cannot_end_the_docstring() -> None:
    config = pruned("lenet5")
    file = run(python_file(config, SEEN))
    assert "trained on folder:a'''b/" in file["__doc__"]
    assert file["CLASSES"] == ["cat", 'd"og']


def test_the_file_says_what_it_is() -> None:
    config = pruned("vgg11")
    text = python_file(config)
    assert text.startswith('"""vgg11 with ')
    assert "Needs torch alone." in text
    assert "prepare" not in text
    assert run(text)["CONFIG"] == config.model_dump(mode="json")


@torch.fx.wrap
def doubled(x: Tensor) -> Tensor:
    return 2 * x


class Foreign(nn.Module):
    """Calls a function that is neither torch's nor torchvision's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(doubled(self.conv(x)).mean((2, 3)))
        return logits


def test_functions_of_others_are_refused(register: Register) -> None:
    config = register(Foreign)
    with pytest.raises(SpecError, match=r"one Python file cannot have doubled, a function of tests\."):
        export("python", config, None)


def test_layers_of_half_precision_are_refused(register: Register) -> None:
    config = register(lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).bfloat16())
    with pytest.raises(SpecError, match="this network cannot be written as one Python file"):
        python_file(config)


class Scaled(nn.Module):
    """A parameter of its own, in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.head = nn.Parameter(torch.ones(3).bfloat16()), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x.mean((2, 3)) * self.scale.float())
        return logits


def test_own_tensors_of_half_precision_are_drawn_and_loaded_alike(register: Register, tmp_path: Path) -> None:
    check(register(Scaled), tmp_path)


class Centred(nn.Module):
    """A norm by hand, which learns what it takes away, and drops a branch in training alone (as timm does)."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 2)
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        if self.training:
            self.mean.lerp_(x.detach().mean((0, 2, 3)), 0.1)
        x = x - self.mean.view(1, -1, 1, 1)
        branch = torch.relu(self.b(x))
        if self.training:
            branch = branch * torch.bernoulli(x.new_full((x.shape[0], 1, 1, 1), 0.5)) / 0.5
        logits: Tensor = self.head((x + branch).mean((2, 3)))
        return logits


def test_what_is_computed_from_buffers_and_what_training_alone_does_are_in_the_file(
    register: Register, tmp_path: Path
) -> None:
    config = register(Centred)
    net, x = build(config).train(), torch.rand(16, 3, 8, 8)
    with torch.no_grad():
        for _ in range(20):
            net(x)
    assert net.mean.abs().max() > 0.05  # type: ignore[union-attr, operator]
    safetensors.torch.save_file(state_of(net), tmp_path / "trained.safetensors")
    namespace: dict[str, Any] = {}
    exec(export("python", config, None).content, namespace)
    rebuilt = namespace["build"](str(tmp_path / "trained.safetensors"))
    with torch.no_grad():
        assert torch.allclose(rebuilt.eval()(x), net.eval()(x), atol=1e-6)
        torch.manual_seed(0)
        expected = net.train()(x)
        torch.manual_seed(0)
        assert torch.allclose(rebuilt.train()(x), expected, atol=1e-6)
        assert not torch.equal(rebuilt(x), rebuilt(x)), "a branch is dropped by chance"
    assert torch.allclose(rebuilt.mean, rebuilt.mean)


class Counting(nn.Module):
    """Asks, in training alone, what cannot be written down."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) > 1:
            x = x + 0.1 * torch.randn_like(x)
        logits: Tensor = self.head(self.a(x).mean((2, 3)))
        return logits


def test_a_way_that_training_takes_and_cannot_be_written_is_refused(register: Register) -> None:
    with pytest.raises(SpecError, match="this network cannot be written as one Python file: its code asks for len"):
        export("python", register(Counting), None)
