"""`zoo audit experiment=NAME key=value ...`: how the data of an experiment mislead, before anything is trained.

The words are those of `zoo train`, checked and composed in the same way; the data alone are built.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import hydra
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from zoo.domain.insight import Insight
from zoo.run import console
from zoo.run.environment import environment
from zoo.run.files import check_writable, write_text
from zoo.run.finish import check_insight_folder, write_insight
from zoo.run.instantiate import build
from zoo.run.locate import absolute_files
from zoo.run.overrides import find_mistakes
from zoo.run.paths import conf_dir
from zoo.run.report import RunSummary, render_report
from zoo.run.train import SUPPLIED


def audit(words: list[str], output: Path | None = None) -> None:
    """Prints what was found; writes tables, pictures and report.html to `output` (runs/NAME/audit)."""
    if mistakes := find_mistakes(words, conf_dir(), "train", SUPPLIED):
        console.mistakes(mistakes)
        sys.exit(2)
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="audit"):
        cfg = hydra.compose("train", words)
    folder = Path("runs", cfg.name, "audit") if output is None else output
    cfg.run_dir = str(folder)  # Hydra, which would give one, does not run
    absolute_files(cfg)
    check_insight_folder(folder)
    check_writable(folder)
    data = build(cfg.data)
    data.setup()
    found = data.audit()
    page = _page(cfg, " ".join(["zoo", "audit", *map(shlex.quote, words)]), found)
    write_insight(folder, found)
    write_text(folder / "report.html", page)
    for table in found.tables:
        console.table(f"\n{table.title}", table.frame[[c for c in table.frame if c != "verdict"]].head(15))
    console.say("\n" + found.headline)
    console.say(f"\nReport: {folder / 'report.html'}\nFiles:  {folder}")


def _page(cfg: DictConfig, typed: str, found: Insight) -> str:
    return render_report(
        RunSummary(
            name=f"Audit of {cfg.name}",
            command=typed,
            config_yaml=OmegaConf.to_yaml(OmegaConf.create({"data": OmegaConf.to_container(cfg.data, resolve=True)})),
            environment=environment(),
            metrics=pd.DataFrame({"step": [], "epoch": []}),
            insight=found,
            about="How the data mislead",
        )
    )
