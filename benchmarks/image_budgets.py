"""A trained image run at half and at double its budget of tokens, with positions interpolated and without.

    python -m benchmarks.image_budgets runs/clothing/<time>
    python -m benchmarks.image_budgets runs/image_folds/clothing/fold_?       all held-out images of the folds together

Without interpolation, a patch takes the position of its own row and column in the training grid, the last beyond its
border: what a table that is merely indexed would give. Balanced accuracy on the test parts, 95 % intervals from
1,000 bootstrap draws of the images, differences to the run's own budget paired.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.results import Report, options
from zoo.domain.errors import InputError
from zoo.domain.scoreboard import scoreboard
from zoo.run.finish import predict_all
from zoo.run.folder import RunFolder
from zoo.vision.batch import ImageSet
from zoo.vision.model import ImageClassifier
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
    parser.add_argument("runs", nargs="+", metavar="RUN", help="one, or the folds of one experiment")
    arguments = parser.parse_args()
    arguments.runs = [str(Path(run)) for run in arguments.runs]
    report = Report("image_budgets", arguments)
    parts = [predictions(run) for run in arguments.runs]
    found = {name: torch.cat([said[name] for said, _, _ in parts]) for name in parts[0][0]}
    target, (_, _, model) = torch.cat([labels for _, labels, _ in parts]), parts[0]
    own = f"{model.sizing.budget} tokens, interpolated"
    board = scoreboard(found, target, model.new_metrics(), reference=own)
    keep = [c for c in board if c == "model" or c.startswith("balanced_accuracy")]
    report.table(
        f"{len(parts)} runs, {len(target)} test images",
        board[keep].astype(object).where(board[keep].notna(), None).to_dict("records"),
    )
    report.write()


def predictions(folder: str) -> tuple[dict[str, Tensor], Tensor, ImageClassifier]:
    """Of the test part at each budget, both ways; its labels; and the model."""
    run = RunFolder.open(folder)
    model, data = run.model(), run.data()
    data.setup()
    test: ImageSet = data.part("test")
    positions = model.embedding.positions
    if not isinstance(positions, Interpolated):
        raise InputError(f"{folder} has no learned positions to interpolate")
    indexed = Indexed(1, 1, model.backbone.dim)
    indexed.grid = positions.grid
    found: dict[str, Tensor] = {}
    for factor in FACTORS:
        sizing = replace(test.sizing, budget=max(1, round(test.sizing.budget * factor)))
        images = ImageSet(test.items, test.classes, sizing)
        for kind, added in (("interpolated", positions), ("indexed", indexed)):
            model.embedding.positions = added
            found[f"{sizing.budget} tokens, {kind}"], target = predict_all(model, data.ordered(images))
    return found, target, model


if __name__ == "__main__":
    main()
