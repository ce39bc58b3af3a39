"""timm's vision transformers of random weights: their logits from the shared backbone, at their size and any other."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed, resample_patch_embed

from zoo.attention import LearnedGrid
from zoo.attention.pretrained import WeightsError
from zoo.vision.patches import resized_kernel
from zoo.vision.timm_shape import composed
from zoo.vision.timm_weights import from_weights, load

SMALL = {"depth": 2, "num_classes": 7}
FAMILIES = {  # name in timm -> arguments that make it small
    "vit_tiny_patch16_224": {"embed_dim": 48},
    "vit_small_patch16_224": {"embed_dim": 48},
    "vit_base_patch16_224": {"embed_dim": 48},
    "deit_tiny_patch16_224": {"embed_dim": 48},
    "deit_tiny_distilled_patch16_224": {"embed_dim": 48},
    "deit3_small_patch16_224": {"embed_dim": 48},
    "flexivit_small": {"embed_dim": 48},
    "vit_medium_patch16_gap_240": {"embed_dim": 48},
    "vit_medium_patch16_reg4_gap_256": {"embed_dim": 48},
    "vit_small_patch14_dinov2": {"embed_dim": 48},
    "vit_small_patch14_reg4_dinov2": {"embed_dim": 48},
    "vit_base_patch16_siglip_224": {"embed_dim": 48},
    "vit_base_patch16_siglip_gap_224": {"embed_dim": 48},
    "vit_base_patch16_clip_224": {"embed_dim": 48},
    "vit_base_patch16_clip_quickgelu_224": {"embed_dim": 48},
    "vit_small_patch16_dinov3": {"embed_dim": 48},
    "vit_small_patch16_dinov3_qkvb": {"embed_dim": 48},
}


def shaken(name: str, **arguments) -> torch.nn.Module:
    """A timm model in which no part is trivial."""
    patch = 14 if "patch14" in name else 16
    theirs = timm.create_model(name, **SMALL, **FAMILIES[name], img_size=3 * patch, **arguments).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn(p.shape, generator=generator) * 0.1)
    return theirs


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_logits_are_timms(name):
    theirs = shaken(name)
    ours = from_weights(theirs.state_dict(), theirs)
    side = theirs.patch_embed.patch_size[0] * 3
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    expected = theirs(images)
    torch.testing.assert_close(ours(list(images)), expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 1e-2


DYNAMIC = [name for name in FAMILIES if "distilled" not in name]


@pytest.mark.parametrize("name", DYNAMIC)
@torch.no_grad()
def test_at_any_other_size_too(name):
    """timm's dynamic_img_size interpolates positions; so do ours, and beside other images."""
    theirs = shaken(name, dynamic_img_size=True)
    ours = from_weights(theirs.state_dict(), theirs)
    patch = theirs.patch_embed.patch_size[0]
    images = [torch.randn(3, patch * h, patch * w) for h, w in [(2, 7), (5, 4), (3, 3)]]
    expected = torch.cat([theirs(image[None]) for image in images])
    for arrangement in ("packed", "padded"):
        torch.testing.assert_close(ours(images, arrangement), expected, atol=2e-5, rtol=1e-5)


def test_positions_and_patch_kernels_are_resized_as_timm_does():
    grid = LearnedGrid(6, 6, 10)
    for size in [(6, 6), (3, 9), (14, 2), (8, 8)]:
        theirs = resample_abs_pos_embed(grid.table.flatten(2).mT, size, (6, 6), num_prefix_tokens=0)
        torch.testing.assert_close(grid(*size), theirs, atol=1e-6, rtol=1e-5)
    kernel = torch.randn(5, 3, 16, 16)
    for patch in (8, 12, 16, 20, 32):
        theirs = resample_patch_embed(kernel, [patch, patch])
        torch.testing.assert_close(resized_kernel(kernel, patch), theirs, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_an_enlarged_patch_says_the_same():
    """FlexiViT, eq. 4: with the resized kernel, an enlarged image gives the tokens of the original."""
    from zoo.vision.patches import LinearPatches, _resizing, cut

    small = LinearPatches(6, 4)
    image = torch.randn(3, 8, 12)
    patches = cut(image, 4).unflatten(1, (3, 16))
    enlarged = (patches.double() @ _resizing(4, 8).T).float().flatten(1)
    torch.testing.assert_close(small.with_patch(8).project(enlarged), small([image]), atol=1e-4, rtol=1e-4)


def test_from_a_file_by_name(tmp_path):
    theirs = shaken("vit_tiny_patch16_224")
    torch.save({"model": theirs.state_dict()}, tmp_path / "vit.pth")
    arguments = {"embed_dim": 48, "depth": 2, "img_size": 48}
    ours = load(tmp_path / "vit.pth", "vit_tiny_patch16_224", **arguments)
    image = torch.randn(3, 48, 48)
    torch.testing.assert_close(ours([image]), theirs(image[None]), atol=1e-5, rtol=1e-5)
    (tmp_path / "folder").mkdir()
    torch.save(theirs.state_dict(), tmp_path / "folder" / "pytorch_model.bin")
    (tmp_path / "folder" / "config.json").write_text('{"architecture": "vit_tiny_patch16_224"}')
    assert torch.equal(load(tmp_path / "folder", **arguments)([image]), ours([image]))


def test_what_does_not_load_is_said(tmp_path):
    theirs = shaken("vit_tiny_patch16_224")
    weights = theirs.state_dict()
    torch.save(weights, tmp_path / "vit.pth")
    with pytest.raises(WeightsError, match=r"no config\.json says"):
        load(tmp_path / "vit.pth")
    with pytest.raises(WeightsError, match="timm knows no architecture"):
        load(tmp_path / "vit.pth", "vit_titanic")
    with pytest.raises(WeightsError, match="gated or normalised MLPs"):
        composed(timm.create_model("vit_giant_patch14_dinov2", depth=1, embed_dim=48, img_size=28))
    with pytest.raises(WeightsError, match="a kind of their own"):
        composed(timm.create_model("resnet18"))
    del weights["blocks.1.norm2.bias"]
    weights["stray"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=r"lacks blocks\.1\.norm2\.bias; it holds .* no place for: stray"):
        from_weights(weights, theirs)
