"""`metrics.csv`: every number of a run, whole at any moment, and continued when the run is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from zoo.run.files import write_text

SECONDS_BETWEEN_WRITES = 2.0


class MetricsLog(Logger):
    """One row per logged step: `step`, `epoch` and the metrics of that moment; written anew as a whole each time.

    Rows of an earlier part of the same run are kept, up to the step from which it goes on (`rewind`).
    """

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []
        if self.path.is_file() and self.path.stat().st_size:  # a run that goes on
            self.rows = pd.read_csv(self.path).to_dict("records")
        self._written = float("-inf")  # the first row is written at once: there is something to look at

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    def rewind(self, step: int) -> None:
        """Forget the rows after `step`: they are about to be made again."""
        self.rows = [row for row in self.rows if row["step"] < step]

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.rows.append({"step": 0 if step is None else step, **metrics})

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass  # config.yaml holds them

    @rank_zero_only
    def save(self) -> None:
        """Lightning asks for it after every row; a long run would be written out in full thousands of times."""
        if time.monotonic() - self._written > SECONDS_BETWEEN_WRITES:
            self.write()

    @rank_zero_only
    def write(self) -> None:
        if self.rows:
            write_text(self.path, self.frame().to_csv(index=False))
        self._written = time.monotonic()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.write()

    def frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.rows)
        first = [c for c in ("step", "epoch") if c in frame]
        return frame[first + sorted(c for c in frame if c not in first)]


def write_out(loggers: Iterable[Logger]) -> None:
    """All that was logged so far, onto the disk."""
    for logger in loggers:
        logger.write() if isinstance(logger, MetricsLog) else logger.save()
