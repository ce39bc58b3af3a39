"""A trained image run at half and at double its budget of tokens, with positions interpolated and without.

    python -m benchmarks.image_budgets runs/clothing/<time>

Without interpolation, a patch takes the position of its own row and column in the training grid, the last beyond its
border: what a table that is merely indexed would give. Balanced accuracy on the run's test part, 95 % intervals from
1,000 bootstrap draws of the images, differences to the run's own budget paired.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from benchmarks.results import Report, options
from zoo.domain.errors import InputError
from zoo.domain.scoreboard import scoreboard
from zoo.run.finish import predict_all
from zoo.run.folder import RunFolder
from zoo.vision.batch import ImageSet
from zoo.vision.positions import Interpolated

FACTORS = (0.5, 1.0, 2.0)


class Indexed(Interpolated):
    """The table as it is."""

    def added(self, height: int, width: int) -> Tensor:
        table = self.grid.table[0]  # [D, h, w]
        rows, columns = (
            torch.arange(n).clamp(max=m - 1) for n, m in zip((height, width), table.shape[1:], strict=True)
        )
        return table[:, rows[:, None], columns].flatten(1).T


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("run")
    arguments = parser.parse_args()
    report = Report("image_budgets", arguments)
    run = RunFolder.open(arguments.run)
    model, data = run.model(), run.data()
    data.setup()
    test: ImageSet = data.part("test")
    positions = model.embedding.positions
    if not isinstance(positions, Interpolated):
        raise InputError(f"{arguments.run} has no learned positions to interpolate")
    found: dict[str, Tensor] = {}
    for factor in FACTORS:
        sizing = replace(test.sizing, budget=max(1, round(test.sizing.budget * factor)))
        images = ImageSet(test.items, test.classes, sizing)
        for kind in ("interpolated", "indexed"):
            model.embedding.positions = positions
            if kind == "indexed":
                model.embedding.positions = Indexed(1, 1, model.backbone.dim)
                model.embedding.positions.grid = positions.grid
            prediction, target = predict_all(model, data.ordered(images))
            found[f"{sizing.budget} tokens, {kind}"] = prediction
    own = f"{test.sizing.budget} tokens, interpolated"
    board = scoreboard(found, target, model.new_metrics(), reference=own)
    keep = [c for c in board if c == "model" or c.startswith("balanced_accuracy")]
    report.table(f"{arguments.run}: {len(test)} test images", board[keep].to_dict("records"))
    report.write()


if __name__ == "__main__":
    main()
