"""What a sceptic would try before any attention: the image's size alone, and thumbnails."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import Tensor

from zoo.vision.batch import ImageSet
from zoo.vision.gradients import described
from zoo.vision.resize import to_pixels

THUMBNAIL = 16
EDGE_SIDE, EDGE_CELL = 128, 8  # pixels


def size_features(images: ImageSet) -> Float[NDArray, "N 4"]:
    """Logarithms of height, width, area and aspect: nothing of what the image shows."""
    height, width = np.log(np.array([item.size for item in images.items], dtype=np.float64)).T
    return np.stack([height, width, height + width, width - height], axis=1)


def thumbnails(images: ImageSet) -> Float[NDArray, "N pixels"]:
    """Squeezed to 16 x 16, RGB of 0 to 1."""
    small = [
        images.picture(i).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC, reducing_gap=2.0)
        for i in range(len(images))
    ]
    return np.stack([np.asarray(picture, dtype=np.float32).ravel() / 255 for picture in small])


def baselines(train: ImageSet, test: ImageSet, seed: int = 0) -> Mapping[str, Float[Tensor, "N classes"]]:
    """Probabilities of the test images, fitted on the training part, classes weighted alike."""
    found = told_by(train, (thumbnails(train), thumbnails(test)), test, seed)
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, class_weight="balanced", max_iter=500))
    return found | {"edge regression": probability(linear, train, edges(train), edges(test))}


def edges(images: ImageSet) -> Float[NDArray, "N features"]:
    """Histograms of gradients of the image squeezed to a square: what vision did before it learned its features."""
    side = (EDGE_SIDE, EDGE_SIDE)
    squares = [to_pixels(images.picture(i).resize(side, Image.Resampling.BICUBIC)) for i in range(len(images))]
    return np.stack([described(s[None], EDGE_CELL, bins=8).flatten().numpy() for s in squares])


def told_by(
    train: ImageSet, thumbs: tuple[NDArray, NDArray], test: ImageSet, seed: int
) -> dict[str, Float[Tensor, "N classes"]]:
    sizes = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False),
        LogisticRegression(class_weight="balanced", max_iter=2000),
    )  # fmt: skip
    pixels = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, class_weight="balanced", max_iter=500))
    forest = RandomForestClassifier(500, class_weight="balanced", random_state=seed, n_jobs=1)
    return {
        "size alone": probability(sizes, train, size_features(train), size_features(test)),
        "thumbnail regression": probability(pixels, train, *thumbs),
        "thumbnail forest": probability(forest, train, *thumbs),
    }


def colour_alone(train: ImageSet, thumbs: tuple[NDArray, NDArray]) -> Float[Tensor, "N classes"]:
    """A forest on the mean red, green and blue."""
    colours = [thumb.reshape(len(thumb), -1, 3).mean(1) for thumb in thumbs]
    forest = RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", random_state=0, n_jobs=1)
    return probability(forest, train, *colours)


def probability(model, train: ImageSet, seen: NDArray, asked: NDArray) -> Float[Tensor, "N classes"]:
    """A column for each class, zero for those that training has not seen."""
    model.fit(seen, np.array(train.labels))
    out = np.zeros((len(asked), len(train.classes)))
    out[:, model.classes_] = model.predict_proba(asked)
    return torch.as_tensor(out, dtype=torch.float32)
