"""Fine-tuning: learning rates by depth, weights of others and of a run under a new head, a frozen probe."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch

from tests.vision.test_timm import shaken
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.vision.backbone import VisionBackbone
from zoo.vision.batch import Sizing
from zoo.vision.embed import ImageEmbedding
from zoo.vision.learning import LayerwiseAdamW
from zoo.vision.model import ImageClassifier
from zoo.vision.patches import LinearPatches
from zoo.vision.positions import Interpolated
from zoo.vision.readout import FrontTokens
from zoo.vision.start import StartFromRun
from zoo.vision.timm_weights import StartFromTimm, fill_classifier


def classifier(patch: int = 16, side: int = 3, depth: int = 2, optimizer=None) -> ImageClassifier:
    embedding = ImageEmbedding(LinearPatches(48, patch), Interpolated(side, side, 48), 48, front=1)
    backbone = VisionBackbone(48, depth, 3)
    optimizer = optimizer or LayerwiseAdamW(1e-3, 0.1, layer_decay=0.5)
    return ImageClassifier(backbone, optimizer, embedding, FrontTokens(48), Sizing(patch=patch))


def test_lower_blocks_learn_more_slowly_and_norms_do_not_decay():
    model = classifier()
    model.begin(["a", "b"])
    optimizer, _ = model.optimizer.build(model, 10)
    rate = {id(p): (g["initial_lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    of = {name: rate[id(p)] for name, p in model.named_parameters()}
    assert of["head.1.weight"] == (1e-3, 0.1) and of["head.1.bias"] == (1e-3, 0.0)
    assert of["backbone.blocks.1.attention.qkv.weight"] == (5e-4, 0.1)
    assert of["backbone.blocks.0.mlp.0.weight"] == (2.5e-4, 0.1) and of["backbone.blocks.0.norm1.weight"][1] == 0
    assert of["embedding.patches.project.weight"] == (1.25e-4, 0.1)
    assert of["embedding.positions.grid.table"] == of["embedding.prefix"] == (1.25e-4, 0.0)


@torch.no_grad()
def test_published_weights_under_a_new_head(tmp_path):
    theirs = shaken("vit_tiny_patch16_224")
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    checkpoint = Checkpoint.open(tmp_path / "vit.pth")
    model = classifier().eval()
    fill_classifier(model, checkpoint)
    image = torch.randn(3, 48, 48)
    torch.testing.assert_close(model.vectors([image]), theirs.forward_features(image[None])[:, 0], atol=1e-5, rtol=1e-5)
    fill_classifier(classifier(patch=8, side=5), checkpoint)  # another patch and another grid: resized
    with pytest.raises(WeightsError, match="no place for"):
        fill_classifier(classifier(depth=1), checkpoint)
    model.begin(["a", "b", "c"])
    start = StartFromTimm(str(tmp_path / "vit.pth"), probe=True)
    start.setup(pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu"), model, "fit")
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {"head.1.weight", "head.1.bias"}


def test_the_classes_are_in_the_checkpoint():
    model = classifier()
    model.begin(["a thing", "β", "c"])
    other = classifier()
    other.load_state_dict(model.state_dict())
    assert other.classes == ("a thing", "β", "c") and other.head[1].out_features == 3
    assert set(other.new_metrics()) == {"balanced_accuracy", "accuracy"}


def test_a_run_goes_on_under_a_new_head(tmp_path):
    """With other classes. All but the head of a probe is as in evaluation, so its vectors stay what they were."""
    first = classifier().eval()
    first.begin(["a", "b", "c"])
    with torch.no_grad():
        for p in first.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    (tmp_path / "checkpoints").mkdir()
    torch.save({"state_dict": first.state_dict()}, tmp_path / "checkpoints" / "best.ckpt")
    start = StartFromRun(str(tmp_path), probe=True)
    second = classifier()
    second.begin(["x", "a longer name"])
    start.setup(pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu"), second, "fit")
    image = torch.randn(3, 48, 80)
    assert torch.equal(second.vectors([image]), first.vectors([image])) and second.classes == ("x", "a longer name")
    assert {n for n, p in second.named_parameters() if p.requires_grad} == {"head.1.weight", "head.1.bias"}
    assert not second.backbone.training and second.head.training and (second.head[1].weight == 0).all()
    with pytest.raises(WeightsError, match=r"does not fit the model.*config.yaml"):
        start.load(classifier(depth=1), Checkpoint.open(start.weights))
