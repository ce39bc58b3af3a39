"""Weights & Biases for any domain: where a run is logged, how it resumes, and what of an insight is sent.

Three rules. Training never waits for the network: an online start that fails goes on offline. A resumed run
keeps its id and its step count: W&B's step *is* the trainer's global step, because an offline run has no
server to ask where it stopped. And nothing here is needed: with another logger every function does nothing.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import wandb
from PIL import Image
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from zoo.domain.insight import Insight, Table

GLOBAL_STEP = "trainer/global_step"
INIT_TIMEOUT, FINISH_TIMEOUT = 20, 60  # seconds that an unreachable server may hold up the start and the end
FLUSH_INTERVAL = 2  # seconds of history that a SIGKILL may cost; W&B's own default is 15
WandbMode = Literal["online", "offline", "disabled"]


def wandb_mode() -> WandbMode:
    """WANDB_MODE (or `wandb offline`) if set; else online for a person who is logged in, offline for others.

    "Logged in" means that a key is found in the environment, in netrc or in W&B's settings. The key is not
    checked against the server, so this costs no network and asks nothing.
    """
    mode = wandb.setup().settings.mode
    if mode in ("offline", "dryrun"):
        return "offline"
    if mode == "disabled":
        return "disabled"
    try:
        return "online" if wandb.login(prompt=False, verify=False) else "offline"
    except wandb.Error as error:  # a key of the wrong shape
        print(f"W&B: {error} Logging offline.")
        return "offline"


def last_run_id(save_dir: str | Path) -> str | None:
    """The id of the newest W&B run in a run folder: what `id` must be to resume it; None if there is none."""
    folders = [path for path in Path(save_dir).glob("wandb/*run-*-*") if path.is_dir()]
    newest = max(folders, key=lambda path: re.sub(r"^(offline-)?run-", "", path.name), default=None)
    return newest and re.sub(r"^(offline-)?run-\d+_\d+-", "", newest.name)


class ZooWandbLogger(WandbLogger):
    """Lightning's W&B logger that starts online or offline by itself and counts in trainer steps.

    save_dir: the run folder; W&B's files go to `save_dir/wandb`.
    id:       the W&B run to continue (see `last_run_id`); None starts a new one, named at once so that it can
              be written beside the checkpoints before anything is logged.
    """

    def __init__(
        self,
        project: str = "attention-zoo",
        name: str | None = None,
        id: str | None = None,
        save_dir: str = ".",
    ) -> None:
        super().__init__(project=project, name=name, id=id or secrets.token_hex(4), save_dir=save_dir)

    @property
    @rank_zero_experiment
    def experiment(self) -> wandb.Run:
        if self._experiment is None:
            Path(self.save_dir).mkdir(parents=True, exist_ok=True)
            self._experiment = _start(wandb_mode(), self._wandb_init)
            self._experiment.define_metric(GLOBAL_STEP)
            self._experiment.define_metric("*", step_metric=GLOBAL_STEP, step_sync=True)
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        run = self.experiment
        if step is None:
            run.log(dict(metrics))
        elif step >= run.starting_step:  # an online run that resumes already holds what came before
            run.log({**metrics, GLOBAL_STEP: step}, step=step)


def _start(mode: WandbMode, arguments: Mapping[str, Any]) -> wandb.Run:
    # quiet: wandb's own banner goes, the lines below say what a person needs.
    settings = {
        "quiet": True,
        "init_timeout": INIT_TIMEOUT,
        "finish_timeout": FINISH_TIMEOUT,
        "x_transaction_log_flush_interval": FLUSH_INTERVAL,
    }
    arguments = {key: value for key, value in arguments.items() if key != "anonymous"}
    run = None
    if mode == "online":
        try:
            run = wandb.init(**arguments, mode="online", settings=wandb.Settings(**settings))
            print(f"W&B: {run.url}")
        except Exception as error:  # whatever went wrong over there, training goes on here
            reason = str(error).strip().splitlines() or [type(error).__name__]
            print(f"W&B: could not start online ({reason[0]}); logging offline instead.")
            mode = "offline"
            wandb.teardown()  # the failed start still holds the run's id
    if run is None:
        # silent: an offline run would repeat at both ends what the next line says
        settings["silent"] = mode == "offline"
        run = wandb.init(**arguments, mode=mode, settings=wandb.Settings(**settings))
    if mode == "offline":
        folder = Path(run.dir).parent
        print(f"W&B offline. To look: wandb beta leet {folder}   To upload: wandb sync {folder}")
    return run


def log_config(logger: Logger | None, config: Mapping[str, Any]) -> None:
    """Send the composed config, as a plain dict."""
    if isinstance(logger, WandbLogger):
        logger.experiment.config.update(dict(config), allow_val_change=True)


def log_insight(logger: Logger | None, insight: Insight | None, scoreboards: Sequence[Table] = ()) -> None:
    """Send scores (`insight/<name>`), figures, tables (pictures in their cells) and scoreboards, as one row."""
    if not isinstance(logger, WandbLogger):
        return
    row: dict[str, Any] = {f"scoreboard/{board.name}": _table(board.frame) for board in scoreboards}
    if insight is not None:
        row |= {f"insight/{name}": float(value) for name, value in insight.scores.items()}
        row |= {f"insight/tables/{table.name}": _table(table.frame) for table in insight.tables}
        row |= {
            f"insight/figures/{figure.name}": _image(figure.png, caption=figure.caption or figure.title)
            for figure in insight.figures
        }
        logger.experiment.summary["insight/headline"] = insight.headline
    if row:
        logger.experiment.log(row)


def log_model(logger: Logger | None, checkpoint_path: str | Path, name: str) -> None:
    """Send a checkpoint as an artifact of type `model`; characters W&B refuses in a name become `-`."""
    if isinstance(logger, WandbLogger):
        artifact = wandb.Artifact(re.sub(r"[^\w.-]+", "-", name), type="model")
        artifact.add_file(str(checkpoint_path))
        logger.experiment.log_artifact(artifact)


def finish(logger: Logger | None, exit_code: int = 0) -> None:
    """End the W&B run, so that the next one in this process (a multirun) is a run of its own."""
    if isinstance(logger, WandbLogger) and logger._experiment is not None:
        logger.experiment.finish(exit_code=exit_code)


def _image(png: bytes, caption: str | None = None) -> wandb.Image:
    return wandb.Image(Image.open(io.BytesIO(png)), caption=caption)


def _table(frame: pd.DataFrame) -> wandb.Table:
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return wandb.Table(columns=[str(column) for column in frame.columns], data=rows, allow_mixed_types=True)


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return _image(value)
    value = value.item() if hasattr(value, "item") else value  # NumPy scalars
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
