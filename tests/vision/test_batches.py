"""Resizing to a budget of tokens, batches of equal work, and going on in the middle of an epoch."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.vision.augment import Augment, drawn_from
from zoo.vision.batch import Draw, ImageSet, Sizing
from zoo.vision.batching import TokenBatches, TokenLoader, pad_fraction
from zoo.vision.catalogue import Item
from zoo.vision.mixing import Mix, cross_entropy, one_hot
from zoo.vision.resize import grid_of

SIDE = st.integers(1, 6000)


@given(SIDE, SIDE, st.integers(1, 40), st.integers(1, 1500), st.sampled_from(["fit", "native"]))
@settings(max_examples=300, deadline=None)
def test_a_grid_keeps_to_its_budget_and_to_the_images_shape(height, width, patch, budget, scale):
    grid = grid_of((height, width), patch, budget, scale)
    assert 1 <= grid.tokens <= budget
    assert grid_of((width, height), patch, budget, scale) == grid[::-1]  # a turned image has a turned grid
    if scale == "native":
        assert grid.height <= max(1, round(height / patch)) and grid.width <= max(1, round(width / patch))
    short, long = sorted(grid)
    wanted = max(height, width) / min(height, width)
    if scale == "fit":  # proportions are off by less than one patch, unless the budget cuts the long side
        assert abs(long - wanted * short) <= 1 or long == budget // short
        if wanted < 3 and budget >= 30:
            assert grid.tokens > 0.6 * budget  # the budget is used


def images(count: int = 60, augment: Augment | None = None, scale: str = "fit") -> ImageSet:
    draw = np.random.default_rng(0)
    items = []
    for i in range(count):
        size = tuple(int(s) for s in draw.integers(8, 120, 2))
        picture = Image.fromarray(draw.integers(0, 255, (*size, 3), dtype=np.uint8))
        items.append(Item(f"i{i}", None, "ab"[i % 2], size=size, picture=picture))
    return ImageSet(items, ("a", "b"), Sizing(patch=8, budget=64, scale=scale), augment)


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("budgets", [(1.0, 1.0), (0.5, 1.5)])
def test_every_image_comes_once_in_batches_of_equal_work(alike, budgets):
    pictures = images(200, Augment(budgets=budgets), "native")
    batches = TokenBatches(pictures, 600, seed=3, alike=alike)
    made = batches.batches()
    assert len(made) == len(batches) and sorted(d.index for b in made for d in b) == list(range(200))
    tokens = [sum(batches._length(d) for d in b) for b in made]
    assert max(tokens) - min(tokens) <= 2 * 64 * max(budgets) + 2
    batches.epoch = 1
    assert [len(b) for b in batches.batches()] != [len(b) for b in made] and len(batches.batches()) == len(made)


def test_similar_lengths_bound_the_padding():
    pictures = images(400, scale="native")

    def wasted(alike: bool) -> float:
        made = TokenBatches(pictures, 600, 0, alike)
        return pad_fraction([[made._length(d) for d in b] for b in made.batches()])

    assert wasted(alike=True) < 0.2 < 0.3 < wasted(alike=False)


def test_a_run_goes_on_with_the_very_next_batch():
    def loader():
        return TokenLoader(TokenBatches(images(augment=Augment(erase=0.5, jitter=0.3, rand="rand-m5-n2")), 500, seed=1))

    whole = [batch for one in [loader()] for _ in range(3) for batch in one]  # three epochs
    broken = loader()
    per_epoch = len(broken)
    first = iter(broken)
    for _ in range(per_epoch):  # as Lightning does, it is not asked for more than there is
        next(first)
    second = iter(broken)
    next(second)
    again, state = next(second), broken.state_dict()
    assert state == {"epoch": 1, "start": 2} and again.names == whole[per_epoch + 1].names
    random.seed(99)
    torch.manual_seed(99)  # other random states outside change nothing
    fresh = loader()
    fresh.load_state_dict(state)
    rest = list(fresh)
    assert len(rest) == per_epoch - 2
    for a, b in zip(rest, whole[per_epoch + 2 :], strict=False):
        assert a.names == b.names and all(torch.equal(x, y) for x, y in zip(a.pixels, b.pixels, strict=True))


def test_what_is_drawn_inside_leaves_the_outside_alone():
    torch.manual_seed(0)
    random.seed(0)
    before = random.getstate(), torch.get_rng_state()
    with drawn_from(5):
        first = random.random(), torch.rand(3), np.random.rand()
    assert random.getstate() == before[0] and torch.equal(torch.get_rng_state(), before[1])
    with drawn_from(5):
        again = random.random(), torch.rand(3), np.random.rand()
    assert first[0] == again[0] and torch.equal(first[1], again[1]) and first[2] == again[2]


def test_augmentation_keeps_sizes_in_whole_patches_and_scale_in_bounds():
    pictures = images(30, Augment(crop=0.3, stretch=2.0, budgets=(0.4, 1.6)))
    for i in range(30):
        for seed in range(4):
            budget = pictures.augment.budget(64, random.Random(seed))
            pixels = pictures[Draw(i, budget, seed)].pixels
            assert pixels.shape[1] % 8 == pixels.shape[2] % 8 == 0
            assert pixels.shape[1] * pixels.shape[2] // 64 <= budget <= math.ceil(64 * 1.6)


def test_mixup_of_different_sizes():
    pixels = [torch.full((3, 8, 16), 1.0), torch.full((3, 16, 8), 3.0)]
    target = one_hot(torch.tensor([0, 1]), 3)
    torch.manual_seed(0)
    for _ in range(10):
        mixed, shares = Mix(alpha=1.0)(pixels, target)
        assert [m.shape for m in mixed] == [p.shape for p in pixels]
        torch.testing.assert_close(shares.sum(1), torch.ones(2))
        for image, share in zip(mixed, shares, strict=True):  # pixels and labels are mixed alike
            torch.testing.assert_close(image.mean(), share[0] * 1 + share[1] * 3)
    logits = torch.randn(2, 3)
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]), label_smoothing=0.2)
    torch.testing.assert_close(cross_entropy(logits, target, 0.2), expected)
    assert (one_hot(torch.tensor([-1]), 3) == 0).all()
