"""The insight's pictures: images with their saliency on their own shape, heads, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from PIL import Image

from zoo.domain.png import BLUE, GREY, INK, ORANGE, png
from zoo.vision.reading import Box

THUMBNAIL = 480  # pixels of the longer side
HEIGHT = 1.7  # inches of a picture in the gallery
GREEN = "#2f8f5b"
COLOURS = {"attention x gradient": BLUE, "rollout": ORANGE, "integrated gradients": GREEN}
COLOURS |= {"random": GREY, "centre": "#6b6b6b"}


def thumbnail(picture: Image.Image) -> Image.Image:
    """A photograph of 50 megapixels is drawn an inch wide."""
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return small


def gallery(
    rows: Sequence[tuple[Image.Image, str, Sequence[tuple[str, Float[NDArray, "h w"]]]]],
    boxes: Sequence[Box | None] = (),
) -> bytes:
    """A row for each image: (as it is, its caption, saliencies by name). Every picture keeps its own proportions."""
    columns = 1 + len(rows[0][2])
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(HEIGHT * 1.35 * columns, HEIGHT * 1.12 * len(rows)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for i, (line, (picture, caption, maps)) in enumerate(zip(axes, rows, strict=True)):
        box = boxes[i] if i < len(boxes) else None
        _show(line[0], picture, box)
        line[0].set_title(caption, fontsize=7.5, color=INK)
        for place, (name, saliency) in zip(line[1:], maps, strict=True):
            _show(place, picture.convert("L").convert("RGB"), box)
            _overlay(place, saliency, picture.size)
            if i == 0:
                place.set_title(name, fontsize=7.5, color=INK)
    return png(figure)


def head_maps(picture: Image.Image, received: Mapping[str, Float[NDArray, "H h w"]]) -> bytes:
    """A row for each layer, a column for each head: the attention that the patches of one image receive."""
    layers = list(received)
    heads = max(len(maps) for maps in received.values())
    ratio = picture.width / picture.height
    wide = HEIGHT * 0.9 * min(1.8, max(0.55, ratio))
    figure, axes = plt.subplots(
        len(layers), heads + 1, figsize=(wide * (heads + 1), HEIGHT * 0.95 * len(layers)), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for i, (line, layer) in enumerate(zip(axes, layers, strict=True)):
        for place in line:
            place.set_axis_off()
        if i == 0:
            _show(line[0], picture, None)
        line[1].text(-0.06, 0.5, f"layer {i + 1}", transform=line[1].transAxes, rotation=90, fontsize=7,
                     ha="right", va="center", color=INK)  # fmt: skip
        for head, (place, seen) in enumerate(zip(line[1:], received[layer], strict=False)):
            place.imshow(seen, cmap="viridis", extent=(0, picture.width, picture.height, 0), interpolation="nearest")
            place.set_aspect("equal")
            if i == 0:
                place.set_title(f"head {head + 1}", fontsize=7.5, color=INK)
    return png(figure)


def distances(table: Mapping[str, Float[NDArray, " H"]], even: float) -> bytes:
    """Mean attention distance: a point for each head, layer by layer (Dosovitskiy et al. 2021, figure 7)."""
    figure, axes = plt.subplots(figsize=(5.2, 3.0), layout="constrained")
    for i, values in enumerate(table.values()):
        axes.scatter(np.full(len(values), i + 1), values, color=BLUE, s=22, alpha=0.85, linewidths=0)
    axes.axhline(even, color=GREY, lw=1, ls=(0, (4, 3)))
    told = "attention that goes\neverywhere alike"
    axes.text(len(table) + 0.45, even, told, fontsize=7.5, va="center", color="#6b6b6b")
    axes.set_xticks(range(1, len(table) + 1))
    axes.set_xlim(0.5, len(table) + 0.4)
    axes.set_ylim(0, max(even, *(float(v.max()) for v in table.values())) * 1.12)
    axes.set_xlabel("layer", fontsize=9)
    axes.set_ylabel("mean attention distance, patches", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def perturbation(curves: Mapping[str, tuple[Float[NDArray, " levels"], Float[NDArray, " levels"]]]) -> bytes:
    """Mean deletion and insertion curves of each order."""
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 2.9), sharey=True, layout="constrained")
    for name, pair in curves.items():
        share = np.linspace(0, 1, len(pair[0]))
        for place, curve in zip(axes, pair, strict=True):
            place.plot(share, curve, color=COLOURS[name], lw=2, label=name, ls="--" if name == "centre" else "-")
    for place, title in zip(axes, ("deletion: lower is better", "insertion: higher is better"), strict=True):
        place.set_title(title, fontsize=9, color=INK)
        place.set_xlabel("share of the patches " + ("painted over" if "del" in title else "shown"), fontsize=8.5)
        place.set_ylim(0, 1.02)
        place.tick_params(labelsize=8)
        place.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("probability of the predicted class", fontsize=8.5)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside right center")
    return png(figure)


def _show(axes, picture: Image.Image, box: Box | None) -> None:
    axes.set_axis_off()
    axes.imshow(thumbnail(picture), extent=(0, picture.width, picture.height, 0))
    if box is not None:
        frame = plt.Rectangle((box.left, box.top), box.width, box.height, fill=False, ec="white", lw=1.2)
        axes.add_patch(frame)


def _overlay(axes, saliency: Float[NDArray, "h w"], size: tuple[int, int]) -> None:
    """On the picture in grey: the stronger, the more opaque. Patch by patch: interpolation would invent detail."""
    strength = np.clip(saliency, 0, None)
    strength = strength / max(float(strength.max()), 1e-12)
    colour = plt.get_cmap("plasma")(0.25 + 0.75 * strength)
    colour[..., 3] = 0.85 * strength**0.7
    axes.imshow(colour, extent=(0, size[0], size[1], 0), interpolation="nearest")
    axes.set_xlim(0, size[0])
    axes.set_ylim(size[1], 0)
