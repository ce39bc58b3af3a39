"""Shortcuts that were laid on purpose are found, and images without any are not accused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zoo.domain.errors import InputError
from zoo.vision.audit import audit
from zoo.vision.batch import ImageSet, Sizing
from zoo.vision.catalogue import Item


def part(name: str, count: int, tall: bool = False, tint: bool = False) -> list[Item]:
    draw = np.random.default_rng(sum(map(ord, name)))
    items = []
    for i in range(count):
        size = (30 + 20 * (tall and i % 2), 30)
        pixels = draw.integers(40, 200, (*size, 3))
        pixels[..., 0] += 55 * (tint and i % 2)
        picture = Image.fromarray(pixels.astype(np.uint8))
        items.append(Item(f"{name}{i}", None, "ab"[i % 2], size=size, picture=picture))
    return items


def severities(train: list[Item], held: list[Item]) -> dict[str, str]:
    first, second = held[: len(held) // 2], held[len(held) // 2 :]
    table = audit(*(ImageSet(items, ("a", "b"), Sizing()) for items in (train, first, second))).tables[0].frame
    return dict(zip(table.check, table.severity, strict=True))


def test_nothing_is_found_where_nothing_is():
    assert set(severities(part("x", 80), part("y", 80)).values()) == {"none"}


def test_size_and_colour_and_copies_are_found():
    found = severities(part("x", 80, tall=True), part("y", 80, tall=True))
    assert found["size alone"] == "serious" and found["mean colour"] == "none"
    assert severities(part("x", 80, tint=True), part("y", 80, tint=True))["mean colour"] == "serious"
    train, held = part("x", 80), part("y", 80)
    found = severities([*train, *held[:8]], held)
    assert found["copies in training"] == "serious" and found["one image, two labels"] == "none"
    held[0] = Item("again", None, "b", size=train[0].size, picture=train[0].picture)
    held[1] = Item("more", None, "a", size=train[1].size, picture=train[1].picture)
    found = severities(train, held)
    assert found["one image, two labels"] == "look"  # 4 of 160


def test_too_few_images_are_not_judged():
    with pytest.raises(InputError, match="at least 20 images"):
        severities(part("x", 10), part("y", 10))
