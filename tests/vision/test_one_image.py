"""An image alone = padded = packed, in any order, whatever the positions, readout and patches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zoo.attention import Rotary
from zoo.vision.backbone import VisionBackbone
from zoo.vision.embed import ImageEmbedding
from zoo.vision.export import exported, write_onnx
from zoo.vision.gradients import OrientedGradients, gradient, histograms
from zoo.vision.layout import Layout
from zoo.vision.network import ImageNetwork
from zoo.vision.patches import ConvStem, LinearPatches
from zoo.vision.positions import Cells, Centred, Factorised, GridPositions, Interpolated
from zoo.vision.readout import FrontTokens, MeanPatches, PooledToken, RegionMeans, regions
from zoo.vision.resize import Grid

D, P = 24, 4
SIZES = [(5, 7), (1, 1), (3, 11), (7, 5), (5, 7), (13, 2)]  # beyond the training grid of 6 x 5 too
KINDS = {
    "interpolated, class token": (lambda: Interpolated(6, 5, D), 1, lambda: FrontTokens(D), LinearPatches),
    "factorised, mean": (lambda: Factorised(6, 5, D), 0, lambda: MeanPatches(D, norm=True), LinearPatches),
    "cells, registers, pooled": (Cells, 3, lambda: PooledToken(D, 3), LinearPatches),
    "centred, stem": (Centred, 1, lambda: MeanPatches(D), lambda dim, patch: ConvStem(dim, patch, first=6)),
    "factorised, gradients, regions": (lambda: Factorised(6, 5, D), 2, lambda: RegionMeans(D, 3), OrientedGradients),
    "none": (GridPositions, 2, lambda: FrontTokens(D, 2), LinearPatches),
}


def network(kind: str) -> ImageNetwork:
    torch.manual_seed(0)
    positions, front, readout, patches = KINDS[kind]
    positions, readout = positions(), readout()
    rotary = isinstance(positions, Cells | Centred)
    embedding = ImageEmbedding(patches(D, P), positions, D, front)
    backbone = VisionBackbone(D, 3, 2, layer_scale=0.3, positions=Rotary(100.0, axes=2) if rotary else None)
    net = ImageNetwork(embedding, backbone, readout, nn.Linear(readout.width, 5)).eval()
    with torch.no_grad():
        for p in net.parameters():  # no part is trivial
            p.add_(torch.randn(p.shape) * 0.1)
    return net


def images() -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(3, P * h, P * w, generator=draw) for h, w in SIZES]


@pytest.mark.parametrize("kind", KINDS)
def test_alone_padded_and_packed_agree(kind):
    net, pixels = network(kind), images()
    alone = torch.cat([net([image]) for image in pixels])
    for arrangement in ("packed", "padded"):
        together = net(pixels, arrangement)
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
        order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(2))
        shuffled = net([pixels[i] for i in order], arrangement)
        torch.testing.assert_close(shuffled, alone[order], atol=1e-5, rtol=0)
    assert (alone[0] - alone[4]).abs().max() > 1e-3  # not merely constant


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_agree(kind):
    found = []
    for arrangement in ("packed", "padded"):
        net = network(kind)
        (net(images(), arrangement) ** 2).sum().backward()
        found.append([p.grad for p in net.parameters()])
    for packed, padded in zip(*found, strict=True):
        torch.testing.assert_close(packed, padded, atol=1e-4, rtol=1e-4)


def test_orientation_is_seen():
    """A non-square image keeps its shape: rows and columns are no bag of patches, and not exchanged."""
    for kind in ("interpolated, class token", "factorised, mean", "cells, registers, pooled"):
        net = network(kind)
        image = torch.randn(3, P * 3, P * 7)
        turned = torch.cat([net([image]), net([image.transpose(1, 2)]), net([image.flip(2)])])
        assert (turned[0] - turned[1]).abs().max() > 1e-3 and (turned[0] - turned[2]).abs().max() > 1e-3


def test_the_padding_is_counted():
    assert Layout.packed([3, 9, 4]).pad_fraction == 0
    assert Layout.padded([3, 9, 4]).pad_fraction == pytest.approx(1 - 16 / 27)
    assert Layout.padded([3, 3]).mask is None


@pytest.mark.slow
@torch.no_grad()
def test_compiled_alone_padded_and_packed_agree_with_eager():
    net, pixels = network("interpolated, class token"), images()
    alone = torch.cat([net([image]) for image in pixels])
    compiled = torch.compile(net)
    for arrangement in ("packed", "padded"):
        torch.testing.assert_close(compiled(pixels, arrangement), alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat([compiled([image]) for image in pixels[:3]]), alone[:3], atol=1e-5, rtol=0)


@torch.no_grad()
def test_export_gives_the_same_logits_at_two_sizes():
    net = network("interpolated, class token")
    for size in ((12, 28), (20, 16)):
        together = torch.randn(2, 3, *size)
        out = exported(net, size).module()(together)
        torch.testing.assert_close(out, net(list(together)), atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_onnx_gives_the_same_logits_at_two_sizes(kind, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = network(kind)
    for size in ((12, 28), (20, 16)):
        write_onnx(net, size, tmp_path / "net.onnx")
        together = torch.randn(2, 3, *size)
        out = runtime.InferenceSession(tmp_path / "net.onnx").run(None, {"images": together.numpy()})[0]
        torch.testing.assert_close(torch.from_numpy(out), net(list(together)), atol=1e-5, rtol=0)


def test_regions_are_those_of_adaptive_pooling():
    for grid in (Grid(7, 5), Grid(2, 3), Grid(1, 11), Grid(4, 4)):
        image = torch.randn(1, 1, *grid)
        expected = torch.nn.functional.adaptive_avg_pool2d(image, 4).flatten()
        torch.testing.assert_close(torch.from_numpy(regions(grid, 4)) @ image.flatten(), expected)


def test_gradients_are_histograms_of_gradients():
    """A wedge that rises to the right and down has one orientation everywhere, and its strength."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    strength, angle = gradient(torch.stack([0.3 * x + 0.1 * y, x * 0, y * 0])[None])
    inner = (slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(strength[inner], torch.full((1, 30, 30), 2 * 0.1**0.5))
    found = histograms(strength, angle, 8, 9)[0, :, 1:-1, 1:-1]
    assert found.shape == (9, 2, 2)
    place = float(torch.atan2(torch.tensor(0.1), torch.tensor(0.3))) / torch.pi * 9  # between bins 0 and 1
    torch.testing.assert_close(found[0], torch.full((2, 2), 2 * 0.1**0.5 * (1 - place)))
    torch.testing.assert_close(found[1], torch.full((2, 2), 2 * 0.1**0.5 * place))
    assert found[2:].abs().max() < 1e-6


def test_what_does_not_fit_is_said():
    embedding = ImageEmbedding(LinearPatches(D, P), Cells(), D)
    with pytest.raises(ValueError, match="axes=2"):
        ImageNetwork(embedding, VisionBackbone(D, 1, 2), MeanPatches(D), nn.Identity())
    with pytest.raises(ValueError, match="whole patches of 4"):
        network("none")([torch.randn(3, 8, 9)])
