"""Attention -> where the model looks, image by image, and whether it needs what it looks at.

Saliency is called an explanation only where painting over what it points at lowers the probability faster than painting
over random patches and than painting over the centre (paired over the images, by more than `LEAST_FALL`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoo.domain.insight import Figure, Insight, Table
from zoo.vision import pictures
from zoo.vision.network import ImageReader
from zoo.vision.perturb import Curves, controls, curves, interval
from zoo.vision.pointing import Pointing, pointing
from zoo.vision.reading import Box
from zoo.vision.saliency import Look, even_distance, look

KINDS = ("attention x gradient", "rollout", "integrated gradients")
SHOWN = 8  # images in the gallery
LEAST_FALL = 0.01  # of the area under the probability; a model of permuted labels gets to .001, surely and for nothing

CONFIRMED = (
    "Confirmed: the area of deletion is below both controls', by more than "
    f"{LEAST_FALL:g} at the near end of the paired 95 % interval."
)
SALIENCY_CAPTION = (
    "Deletion and insertion: area under the probability of the predicted class while patches are painted over, or "
    "shown, in the order of each saliency; of a random order and of the distance from the centre beside it. "
    + CONFIRMED
)


@dataclass(frozen=True, eq=False)
class Seen:
    """One image that is explained. picture: as it is drawn, perhaps smaller than the image. size: the image's width and
    height. box: where its object is, in the image's pixels, if that is known."""

    name: str
    picture: Image.Image
    size: tuple[int, int]
    pixels: Float[Tensor, "3 H W"]
    label: str | None
    box: Box | None = None

    @property
    def drawn_box(self) -> Box | None:
        """In the picture's pixels."""
        if self.box is None:
            return None
        x, y = self.picture.width / self.size[0], self.picture.height / self.size[1]
        return Box(*(round(place * by) for place, by in zip(self.box, (x, y, x, y), strict=True)))


@dataclass(frozen=True, eq=False)
class Explained:
    seen: Seen
    look: Look
    curves: Mapping[str, Curves]  # by order, controls included
    pointing: Mapping[str, Pointing]  # by kind of saliency; empty without a box


def explain(model: ImageReader, images: Sequence[Seen], classes: Sequence[str]) -> Insight:
    """The model must be in eval mode."""
    found = [_explained(model, image) for image in images]
    table = _table(found, classes)
    areas = {name: np.array([e.curves[name].areas for e in found]) for name in found[0].curves}  # [N, 2]
    areas = _random_joined(areas)
    tests = [_test(kind, areas) for kind in KINDS]
    heads, figure = _heads(found)
    shown = found[:SHOWN]
    rows = [
        (e.seen.picture, _caption(e, classes), [(kind, _map(e.look, kind).numpy()) for kind in KINDS]) for e in shown
    ]
    figures = [
        Figure("gallery", "Where it looks", pictures.gallery(rows, [e.seen.drawn_box for e in shown]), GALLERY_CAPTION),
        Figure("perturbation", "Is it needed?", pictures.perturbation(_mean_curves(found)), PERTURBATION_CAPTION),
        figure,
        _head_figure(found[0]),
    ]
    tables = [
        Table("tests", "Saliency beside its controls", pd.DataFrame(tests), TEST_CAPTION),
        Table("heads", "How far the heads look", heads, HEAD_CAPTION),
        Table("saliency", "Each image", table, SALIENCY_CAPTION),
    ]
    scores = {f"deletion, {t['saliency']}": t["deletion"] for t in tests}
    planted = _pointing_table(found)
    if planted is not None:
        tables.insert(0, Table("pointing", "Does it land on the object?", planted, POINTING_CAPTION))
        scores |= {f"hits, {row.saliency}": row.hits for row in planted.itertuples() if row.saliency in KINDS}
    files = {f"maps/{i + 1:03d}_{kind.replace(' ', '_')}.npy": _npy(_map(e.look, kind))
             for i, e in enumerate(found) for kind in KINDS}  # fmt: skip
    return Insight(_headline(tests, planted, len(found)), tuple(tables), tuple(figures), files, scores)


GALLERY_CAPTION = (
    "Each saliency, patch by patch, on the image's own shape; the predicted class, its probability, "
    "and the true one where it differs. A white frame is the known object."
)
PERTURBATION_CAPTION = (
    "Means over the images. Random and centre are orders that know nothing of the model. Painted over means the "
    "image's mean colour."
)
TEST_CAPTION = (
    "Areas under the curves, means over the images; paired differences to the controls with 95 % bootstrap intervals. "
    + CONFIRMED
)
HEAD_CAPTION = (
    "Mean distance between a patch and the patches it looks at, in patches, and as a share of what attention that goes "
    "everywhere alike would have on the same grids. What goes to class and register tokens, which stand nowhere, is "
    "left out, and the rest counts as the whole."
)
POINTING_CAPTION = (
    "Hits: share of images whose strongest patch lies on the object (its centre inside the box). Mass: share of the "
    "positive saliency inside the box, each patch by the part of it that is. Area: the box's share of the image."
)


def _explained(model: ImageReader, image: Seen) -> Explained:
    seen = look(model, image.pixels)
    orders = {kind: _map(seen, kind) for kind in KINDS} | controls(seen.grid)
    found = curves(model, image.pixels, seen.target, orders)
    inside = {} if image.box is None else {name: pointing(order, image.box, image.size)
                                           for name, order in orders.items()}  # fmt: skip
    return Explained(image, seen, found, inside)


def _map(seen: Look, kind: str) -> Float[Tensor, "h w"]:
    return dict(zip(KINDS, (seen.gradient, seen.rollout, seen.integrated), strict=True))[kind]


def _random_joined(values: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The random orders as one: their mean."""
    joined = {name: value for name, value in values.items() if not name.startswith("random")}
    return joined | {"random": np.mean([v for name, v in values.items() if name.startswith("random")], axis=0)}


def _test(kind: str, areas: Mapping[str, NDArray]) -> dict[str, object]:
    """One row: areas of a saliency, and its paired differences to the controls."""
    row: dict[str, object] = {"saliency": kind}
    row |= dict(zip(("deletion", "insertion"), areas[kind].mean(0).tolist(), strict=True))
    confirmed = True
    for control in ("random", "centre"):
        for i, what in enumerate(("deletion", "insertion")):
            mean, low, high = interval(areas[kind][:, i] - areas[control][:, i])
            row |= {f"{what} - {control}": mean, f"{what} - {control} low": low, f"{what} - {control} high": high}
            confirmed &= what == "insertion" or high < -LEAST_FALL
    return row | {"confirmed": "yes" if confirmed else "no"}


def _mean_curves(found: Sequence[Explained]) -> dict[str, tuple[NDArray, NDArray]]:
    both = {
        name: np.mean([[c.numpy() for c in (e.curves[name].deletion, e.curves[name].insertion)] for e in found], axis=0)
        for name in found[0].curves
    }
    return {name: tuple(pair) for name, pair in _random_joined(both).items()}


def _table(found: Sequence[Explained], classes: Sequence[str]) -> pd.DataFrame:
    rows = []
    for e in found:
        areas = _random_joined({name: np.array(c.areas) for name, c in e.curves.items()})
        row = {"image": e.seen.name, "class": classes[e.look.target]}
        row |= {"probability": float(e.look.probability[e.look.target]), "label": e.seen.label or ""}
        row |= dict(zip(("width", "height"), e.seen.size, strict=True))
        row["patches"] = f"{e.look.grid.height} x {e.look.grid.width}"
        for name in (*KINDS, "random", "centre"):
            row |= {f"deletion, {name}": areas[name][0], f"insertion, {name}": areas[name][1]}
        rows.append(row)
    return pd.DataFrame(rows)


def _heads(found: Sequence[Explained]) -> tuple[pd.DataFrame, Figure]:
    layers = list(found[0].look.distance)
    even = float(np.mean([even_distance(e.look.grid) for e in found]))
    mean = {layer: torch.stack([e.look.distance[layer] for e in found]).mean(0).numpy() for layer in layers}
    rows = [
        {"layer": i + 1, "head": h + 1, "distance": float(d), "of even attention's": float(d) / max(even, 1e-12)}
        for i, layer in enumerate(layers)
        for h, d in enumerate(mean[layer])
    ]
    return pd.DataFrame(rows), Figure(
        "distance", "How far the heads look", pictures.distances(mean, even), f"Mean over {len(found)} images."
    )


def _head_figure(e: Explained) -> Figure:
    received = {layer: maps.numpy() for layer, maps in e.look.received.items()}
    caption = f"{e.seen.name}: attention that each patch receives, each map on a scale of its own."
    return Figure("head_maps", "Each head", pictures.head_maps(e.seen.picture, received), caption)


def _pointing_table(found: Sequence[Explained]) -> pd.DataFrame | None:
    known = [e for e in found if e.pointing]
    if not known:
        return None
    rows = []
    for name in (*KINDS, "random", "centre"):
        matching = [[p for key, p in e.pointing.items() if key.startswith(name)] for e in known]
        hits = np.array([np.mean([p.hit for p in ps]) for ps in matching])
        mass = np.array([np.mean([p.mass for p in ps]) for ps in matching])
        row = {"saliency": name, "images": len(known)}
        for what, values in (("hits", hits), ("mass", mass)):
            row |= dict(zip((what, f"{what} low", f"{what} high"), interval(values), strict=True))
        rows.append(row | {"area": float(np.mean([next(iter(e.pointing.values())).area for e in known]))})
    return pd.DataFrame(rows)


def _caption(e: Explained, classes: Sequence[str]) -> str:
    said = f"{classes[e.look.target]} {float(e.look.probability[e.look.target]):.2f}"
    wrong = e.seen.label is not None and e.seen.label != classes[e.look.target]
    return f"{said}, is {e.seen.label}" if wrong else said


def _headline(tests: Sequence[Mapping], planted: pd.DataFrame | None, images: int) -> str:
    lines = []
    for t in tests:
        verdict = "confirmed" if t["confirmed"] == "yes" else "not confirmed"
        lines.append(
            f"{t['saliency']} is {verdict} by deletion on {images} images: area {t['deletion']:.3f}, against random "
            f"{t['deletion - random']:+.3f} [{t['deletion - random low']:+.3f}, {t['deletion - random high']:+.3f}], "
            f"against centre {t['deletion - centre']:+.3f} [{t['deletion - centre low']:+.3f}, "
            f"{t['deletion - centre high']:+.3f}]."
        )
    if planted is not None:
        of = {row.saliency: row for row in planted.itertuples()}
        lines.append(
            "On the planted object: "
            + ", ".join(f"{name} {of[name].hits:.2f}" for name in (*KINDS, "random", "centre"))
            + f" of the strongest patches (the box is {of['random'].area:.2f} of the image)."
        )
    return "\n".join(lines)


def _npy(values: Float[Tensor, "h w"]) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, values.numpy().astype(np.float32))
    return stream.getvalue()
