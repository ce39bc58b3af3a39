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

THUMBNAIL = 16


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
    labels = np.array(train.labels)
    sizes = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False),
        LogisticRegression(class_weight="balanced", max_iter=2000),
    )  # fmt: skip
    pixels = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, class_weight="balanced", max_iter=500))
    forest = RandomForestClassifier(500, class_weight="balanced", random_state=seed, n_jobs=1)
    size, thumb = [size_features(x) for x in (train, test)], [thumbnails(x) for x in (train, test)]
    found = {
        "size alone": _probability(sizes, size[0], labels, size[1], len(train.classes)),
        "thumbnail regression": _probability(pixels, thumb[0], labels, thumb[1], len(train.classes)),
        "thumbnail forest": _probability(forest, thumb[0], labels, thumb[1], len(train.classes)),
    }
    return {name: torch.as_tensor(p, dtype=torch.float32) for name, p in found.items()}


def _probability(model, seen: NDArray, labels: NDArray, asked: NDArray, classes: int) -> NDArray:
    """A column for each class, zero for those that training has not seen."""
    model.fit(seen, labels)
    out = np.zeros((len(asked), classes))
    out[:, model.classes_] = model.predict_proba(asked)
    return out
