"""The report of a run: one HTML file that needs nothing else, the same for every domain.

It loads nothing from anywhere (its own policy forbids it) and runs one script, ours, that sorts tables; so a
report from a stranger is as safe to open as a picture. What the data brings (names, captions) is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from zoo.domain.insight import Insight, Table
from zoo.run.cells import data_uri, grid, heading, number
from zoo.run.curves import learning_curves


@dataclass(frozen=True)
class RunSummary:
    """All that a report tells.

    metrics:   the frame of `metrics.csv`: `step`, `epoch` and `stage/metric`, rows may be sparse.
    best_step: the trainer's step at which the checkpoint reported here was saved.
    scores:    scoreboards (`zoo.domain.scoreboard`); the first row of each is this run's model.
    files:     paths relative to the report.
    about:     the heading over the insight.
    """

    name: str
    command: str
    config_yaml: str
    environment: Mapping[str, str]
    metrics: pd.DataFrame
    best_step: int | None = None
    scores: Sequence[Table] = ()
    insight: Insight | None = None
    files: Sequence[str] = ()
    about: str = "What the attention says"


def render_report(run: RunSummary) -> str:
    """The whole page."""
    templates = Environment(
        loader=PackageLoader("zoo.run", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = templates.get_template("sort.js").render()  # as the page will hold it
    templates.filters |= {"data_uri": data_uri, "heading": heading, "link": lambda path: quote(path)}
    light, dark = (learning_curves(run.metrics, run.best_step, dark=dark) for dark in (False, True))
    insight = run.insight or Insight(headline="")
    return templates.get_template("report.html.j2").render(
        run=run,
        insight=insight,
        headline=[line for line in insight.headline.strip().splitlines() if line.strip()],
        facts={name: number(value, name) for name, value in insight.scores.items()},
        boards=[grid(board) for board in run.scores],
        tables=[grid(table) for table in insight.tables],
        curves=[(metric, light[metric], dark[metric]) for metric in light],
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        config_lines=len(run.config_yaml.splitlines()),
    )
