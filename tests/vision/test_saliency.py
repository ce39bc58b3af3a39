"""Where it looks, on models so simple that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from tests.vision.test_one_image import KINDS, P, network
from zoo.vision import saliency, sources
from zoo.vision.batch import ImageSet, Sizing
from zoo.vision.catalogue import Item
from zoo.vision.insight import CONFIRMED, LEAST_FALL, SALIENCY_CAPTION, TEST_CAPTION, Seen, _test
from zoo.vision.patches import cut
from zoo.vision.perturb import _joined, controls, curves, interval, painted_over
from zoo.vision.pointing import covered, pointing
from zoo.vision.reading import Box
from zoo.vision.resize import Grid
from zoo.vision.saliency import _PatchDistance, even_distance, integrated_gradients, log_odds, look


class OnePatch(nn.Module):
    """Sure of class 1 if and only if the patch at (1, 4) is bright."""

    class embedding:
        class patches:
            patch = 4

    def forward(self, images):
        bright = torch.stack([image[:, 4:8, 16:20].mean() for image in images])
        return torch.stack([torch.zeros_like(bright), 40 * (bright - 0.5)], dim=1)


def test_curves_of_a_model_that_looks_at_one_patch():
    image = torch.zeros(3, 12, 28)
    image[:, 4:8, 16:20] = 1.0
    right, wrong = torch.zeros(3, 7), torch.zeros(3, 7)
    right[1, 4], wrong[1, 4] = 1.0, -1.0
    found = curves(OnePatch(), image, 1, {"right": right, "wrong": wrong})
    down, up = found["right"].deletion, found["right"].insertion
    assert down[0] > 0.99 and (down[1:] < 0.01).all()  # gone with the first tenth
    assert up[0] < 0.01 and (up[1:] > 0.99).all()
    late = found["wrong"]
    assert (late.deletion[:-1] > 0.99).all() and late.deletion[-1] < 0.01 and (late.insertion[:-1] < 0.01).all()
    assert found["right"].areas[0] < 0.1 < 0.9 < late.areas[0]


def test_patches_are_put_back_where_they_were():
    image = torch.randn(3, 12, 20)
    assert torch.equal(_joined(cut(image, 4)[None], image, 4)[0], image)


def test_controls_know_the_grid_alone():
    found = controls(Grid(5, 9))
    assert found["centre"].argmax() == 2 * 9 + 4 and found["centre"].min() == found["centre"][0, 0]
    assert not torch.equal(found["random 1"], found["random 2"])
    assert all(torch.equal(a, b) for a, b in zip(found.values(), controls(Grid(5, 9)).values(), strict=True))


def test_pointing_by_hand():
    torch.testing.assert_close(covered(5, 20, 40, 4), torch.tensor([0.5, 1.0, 0.0, 0.0]))
    saliency = torch.tensor([[0.0, 3.0], [-5.0, 1.0]])  # over a picture of 40 x 20
    seen = pointing(saliency, Box(20, 0, 40, 10), (40, 20))
    assert seen.hit and seen.mass == pytest.approx(0.75) and seen.area == pytest.approx(0.25)
    assert not pointing(saliency, Box(0, 10, 40, 20), (40, 20)).hit


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_is_on_the_images_own_grid(kind):
    net = network(kind)
    for p in net.parameters():
        p.requires_grad_(False)  # a linear probe
    image = torch.randn(3, 3 * P, 7 * P)
    seen = look(net, image)
    assert seen.grid == Grid(3, 7) and seen.rollout.shape == (3, 7)
    torch.testing.assert_close(seen.probability, net([image])[0].softmax(-1), atol=1e-5, rtol=1e-5)
    assert (seen.gradient >= 0).all() and seen.gradient.max() > 0
    torch.testing.assert_close(seen.integrated, integrated_gradients(net, image, seen.target))
    assert 0 < float(seen.rollout.sum()) <= 1 + 1e-5  # the rest is with the tokens in front
    assert len(seen.received) == len(seen.distance) == 3
    assert all(maps.shape == (2, 3, 7) for maps in seen.received.values())
    assert all(float(d.min()) >= 0 and float(d.max()) < 6.4 for d in seen.distance.values())
    assert (look(net, image, target=(seen.target + 1) % 5).gradient - seen.gradient).abs().max() > 1e-7
    assert image.grad is None and not image.requires_grad


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_integrated_gradients_add_up_to_what_the_image_says(kind):
    """Completeness: whatever readout, positions and tokens in front, no path is left out."""
    net, image = network(kind), torch.randn(3, 3 * P, 7 * P, generator=torch.Generator().manual_seed(3))
    found = integrated_gradients(net, image, target=2, steps=200)
    gained = log_odds(net([image])[0], 2) - log_odds(net([painted_over(image)])[0], 2)
    assert found.shape == (3, 7) and abs(float(gained)) > 0.05
    torch.testing.assert_close(found.sum(), gained, atol=2e-3, rtol=2e-3)


def test_a_patch_of_the_mean_colour_says_nothing(monkeypatch):
    image = torch.zeros(3, 3 * P, 7 * P)
    image[:, P : 2 * P, 4 * P : 5 * P], image[:, :P, :P] = 1.0, -1.0
    net = network("cells, registers, pooled")
    found = integrated_gradients(net, image, target=0)
    assert {tuple(place) for place in found.nonzero().tolist()} == {(1, 4), (0, 0)}
    monkeypatch.setattr(saliency, "TOGETHER", 100)  # of 16 steps of 24 tokens, four at once
    torch.testing.assert_close(integrated_gradients(net, image, target=0), found)


def test_even_attention_has_the_distance_of_its_grid():
    assert even_distance(Grid(1, 2)) == pytest.approx(0.5) and even_distance(Grid(1, 1)) == 0


def test_attention_to_the_front_takes_nothing_from_the_distance():
    """Alike to all patches, and nine tenths of it to two tokens in front: as far as attention that is even."""
    grid = Grid(3, 4)
    places = torch.cartesian_prod(torch.arange(3), torch.arange(4)).float()
    probabilities = torch.full((1, 2, 14, 14), 0.1 / 12)
    probabilities[..., :2] = 0.45
    distance = _PatchDistance(torch.cat([torch.zeros(2, 2), places]), 2)
    for start in (0, 5):  # in two blocks of rows
        distance.rows("one", start, probabilities[:, :, start : 5 if start == 0 else 14], 14)
    found = distance.result()["one"][0, :, 2:].mean(1)
    torch.testing.assert_close(found, torch.full((2,), even_distance(grid)))


def test_both_captions_say_what_confirms():
    assert CONFIRMED in TEST_CAPTION and CONFIRMED in SALIENCY_CAPTION and f"{LEAST_FALL:g}" in CONFIRMED


def test_a_large_photograph_is_kept_small(monkeypatch):
    photograph = Image.new("RGB", (2000, 1000))
    items = [Item("a", None, "x", size=(1000, 2000), picture=photograph)]
    given = []
    monkeypatch.setattr(sources, "explain", lambda model, seen, classes: given.extend(seen))
    model = nn.Linear(1, 1)
    model.device, model.classes = torch.device("cpu"), ("x",)
    sources.explained(model, DataLoader(ImageSet(items, ("x",), Sizing(patch=8, budget=16))))
    (seen,) = given
    assert seen.picture.size == (480, 240) and seen.size == photograph.size == (2000, 1000)
    boxed = Seen("a", seen.picture, seen.size, seen.pixels, "x", Box(500, 250, 1000, 1000))
    assert boxed.drawn_box == Box(120, 60, 240, 240) and seen.drawn_box is None


def test_an_interval_holds_its_mean():
    values = torch.randn(40, generator=torch.Generator().manual_seed(0)).numpy()
    mean, low, high = interval(values)
    assert low < mean < high and high - low < 1


def test_a_fall_that_is_sure_and_tiny_confirms_nothing():
    """Of a model of permuted labels: below both controls in every image, by a thousandth."""
    rng = np.random.default_rng(0)
    control = rng.uniform(0.2, 0.3, (48, 2))
    areas = {"random": control, "centre": control}
    for fall, verdict in ((0.001, "no"), (0.05, "yes")):
        assert _test("rollout", areas | {"rollout": control - fall})["confirmed"] == verdict
