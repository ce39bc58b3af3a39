"""A trained classifier as one program for images of one size, to run where this package is not.

torch.export.save(exported(model, (224, 160)), "model.pt2")
write_onnx(model, (224, 160), "model.onnx")                     # pip install 'attention-zoo[onnx]'
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zoo.vision.network import ImageReader


class _OneSize(nn.Module):
    def __init__(self, model: ImageReader):
        super().__init__()
        self.model = model

    def forward(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N classes"]:
        return self.model(list(images.unbind()), "padded")  # of one size: there is no padding


def exported(model: ImageReader, size: tuple[int, int], images: int = 2) -> torch.export.ExportedProgram:
    """For `images` images of `size` (height, width), in whole patches. Save it with `torch.export.save`."""
    example = torch.zeros(images, 3, *size)
    with torch.no_grad():
        return torch.export.export(_OneSize(model).eval(), (example,))


def write_onnx(model: ImageReader, size: tuple[int, int], path: str | Path, images: int = 2) -> None:
    """The same program as ONNX: input `images` [images, 3, height, width], normalised; output `logits`."""
    program = torch.onnx.export(
        exported(model, size, images), dynamo=True, verbose=False, input_names=["images"], output_names=["logits"]
    )
    program.save(path)
