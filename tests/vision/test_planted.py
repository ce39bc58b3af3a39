"""Planted images and splits: the same seed, the known place, nothing told by anything else; no group in two parts."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest

from zoo.domain.errors import InputError
from zoo.vision.catalogue import Item
from zoo.vision.planted import PATTERNS, SIDES, plant_images
from zoo.vision.split import NUM_FOLDS, split_items


def test_the_same_seed_gives_the_same_images():
    a, b, other = plant_images(12), plant_images(12), plant_images(12, seed=1)
    assert all(x.picture.tobytes() == y.picture.tobytes() for x, y in zip(a.items, b.items, strict=True))
    assert a.boxes == b.boxes != other.boxes
    assert set(Counter(i.label for i in a.items).values()) == {3} and {i.label for i in a.items} == set(PATTERNS)


def test_sizes_and_boxes():
    made = plant_images(60)
    for item, box in zip(made.items, made.boxes, strict=True):
        assert all(SIDES[0] <= side <= SIDES[1] for side in item.size) and item.picture.size == item.size[::-1]
        assert 0 <= box.left < box.right <= item.size[1] and 0 <= box.top < box.bottom <= item.size[0]
    assert len({item.size for item in made.items}) > 50


def test_stripes_lie_in_the_box_as_their_name_says():
    made = plant_images(80)
    for item, box in zip(made.items, made.boxes, strict=True):
        if item.label not in ("horizontal", "vertical"):
            continue
        middle = box.left + box.width // 4, box.top + box.height // 4, box.right - box.width // 4, \
            box.bottom - box.height // 4  # fmt: skip
        inside = np.asarray(item.picture.crop(middle).convert("L")).astype(float)
        down, across = np.abs(np.diff(inside, axis=0)).mean(), np.abs(np.diff(inside, axis=1)).mean()
        assert (down > across) == (item.label == "horizontal")


def test_the_control_has_the_same_images_and_other_labels():
    made, control = plant_images(40), plant_images(40, shuffle_labels=True)
    assert all(x.picture.tobytes() == y.picture.tobytes() for x, y in zip(made.items, control.items, strict=True))
    labels = [[i.label for i in m.items] for m in (made, control)]
    assert labels[0] != labels[1] and Counter(labels[0]) == Counter(labels[1])


def test_too_few():
    with pytest.raises(InputError, match="at least 4"):
        plant_images(3)


def items(count: int = 120) -> list[Item]:
    return [Item(f"i{i}", None, "ab"[i % 3 == 0], group=f"g{i // 4}") for i in range(count)]


def test_folds_hold_out_each_image_once_and_no_group_is_in_two_parts():
    seen = []
    for fold in range(NUM_FOLDS):
        parts = split_items(items(), fold)
        groups = [{i.group for i in part} for part in parts.values()]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
        assert sum(map(len, parts.values())) == 120
        assert all({i.label for i in part} == {"a", "b"} for part in parts.values())
        seen += [i.name for i in parts["test"]]
    assert sorted(seen) == sorted(i.name for i in items())
    assert split_items(items(), 1) == split_items(items(), 1)


def test_a_given_split_is_kept_and_what_it_lacks_is_cut_from_training():
    given = [Item(f"i{i}", None, "ab"[i % 2], split="test" if i < 20 else "train") for i in range(100)]
    parts = split_items(given)
    assert [i.name for i in parts["test"]] == [f"i{i}" for i in range(20)]
    assert len(parts["valid"]) == 10 and len(parts["train"]) == 70
    with pytest.raises(InputError, match="a has 2"):
        split_items([Item(f"i{i}", None, "ab"[i > 1]) for i in range(40)])
    with pytest.raises(InputError, match="no training part"):
        split_items([Item("i", None, "a", split="test")])
    with pytest.raises(InputError, match="training part has no image of c"):
        split_items([*given, Item("new", None, "c", split="test")])
    with pytest.raises(InputError, match=r"1 images have no split and others have one \(new\)"):
        split_items([*given, Item("new", None, "a")])


@pytest.mark.parametrize("each", [3, 4, 8])
def test_few_images_of_each_class_are_split_all_the_same(each):
    items = [Item(f"i{i}", None, "abc"[i % 3]) for i in range(3 * each)]
    parts = split_items(items)
    for part in parts.values():
        assert {item.label for item in part} == {"a", "b", "c"}
    assert sum(map(len, parts.values())) == 3 * each
    with pytest.raises(InputError, match=r"folds 0 to [23]") if each < 5 else nullcontext():
        split_items(items, 4)
