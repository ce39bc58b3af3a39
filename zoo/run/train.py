"""`python train.py ...` and `zoo train ...`: compose, check, build, fit, test, explain, report."""

from __future__ import annotations

import json
import shlex
import sys
import warnings
from pathlib import Path

import hydra
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from yaml import YAMLError

from zoo.domain.errors import InputError
from zoo.run import console, tracking
from zoo.run.check import check
from zoo.run.checkpoints import WholeCheckpoints
from zoo.run.environment import environment
from zoo.run.files import write_text
from zoo.run.finish import finish
from zoo.run.folder import RunFolder
from zoo.run.instantiate import build
from zoo.run.interrupt import Interrupted
from zoo.run.locate import absolute_files
from zoo.run.metrics_log import MetricsLog
from zoo.run.overrides import find_mistakes
from zoo.run.paths import conf_dir

SUPPLIED = {"trainer": {"callbacks", "logger", "plugins"}}  # arguments that this program hands over itself


def main(argv: list[str] | None = None, verb: tuple[str, ...] = ()) -> None:
    """Train as the words of the command line say. Exits with 2 after a mistake of the person's, having said it.

    verb: the words that stood before them, for which Hydra has no use.
    """
    quiet()
    words = sys.argv[1:] if argv is None else argv
    asks_hydra = any(word in ("--help", "-h", "--cfg", "-c", "--info", "-i", "--hydra-help") for word in words)
    mistakes = [] if asks_hydra else find_mistakes(words, conf_dir(), "train", SUPPLIED)
    if mistakes:
        console.mistakes(mistakes)
        sys.exit(2)
    sys.argv = [sys.argv[0], *words]

    def job(cfg: DictConfig) -> None:
        sys.argv[1:1] = verb  # Lightning starts its other processes with the whole line
        _job(cfg)
        del sys.argv[1 : 1 + len(verb)]

    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")(job)()


def _job(cfg: DictConfig) -> None:
    run = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    OmegaConf.set_struct(cfg, False)
    absolute_files(cfg)
    run.save_config(cfg)
    guarded(run, lambda: train(run))


def resume(path: str, overrides: list[str]) -> None:
    """Go on with a run from its last saved point. overrides: dotted `key=value` changes, e.g. trainer.max_epochs=20."""
    quiet()
    run = RunFolder.open(path)
    cfg = run.config_here()
    checkpoint = run.last_checkpoint()
    for word in overrides:
        key, found, value = word.partition("=")
        if not found or key.split(".")[0] not in CHANGEABLE or OmegaConf.select(cfg, key, default=MISSING) is MISSING:
            raise InputError(
                f"{word}: expected key=value with a key of {run.config_file} under {', '.join(CHANGEABLE)}; the rest "
                "is in the checkpoint: train anew to change it"
            )
        try:
            OmegaConf.update(cfg, key, OmegaConf.create(f"v: {value}").v)
        except (YAMLError, OmegaConfBaseException) as error:
            raise InputError(f"{word}: the value cannot be read as YAML") from error
    if mistakes := check(cfg, SUPPLIED):
        console.mistakes(mistakes)
        sys.exit(2)
    run.save_config(cfg)
    guarded(run, lambda: train(run, checkpoint))


MISSING = object()
CHANGEABLE = ("trainer", "callbacks", "logger")


def guarded(run: RunFolder, work) -> None:
    """What a person sees when a run ends early."""
    try:
        work()
    except Interrupted as stop:
        console.say(f"{stop}\nGo on with: zoo resume {run.path}")
        sys.exit(stop.exit_code)
    except InputError as error:
        console.mistakes([str(error)])
        sys.exit(2)
    except KeyboardInterrupt:
        console.say(f"Stopped. What is done is in {run.path}; go on with: zoo resume {run.path}")
        sys.exit(130)


def train(run: RunFolder, checkpoint: Path | None = None) -> None:
    """Fit, test on the best epoch, and say what the attention learned, all into `run`. From `checkpoint`, if given."""
    cfg = run.config()
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = build(cfg.data), build(cfg.model)
    data.setup()  # a file that cannot be used is said before anything else is started
    if checkpoint is not None and cfg.logger.get("wandb"):
        cfg.logger.wandb.id = tracking.last_run_id(run.path)  # a resumed run keeps its W&B id
    loggers: list[Logger] = [build(node) for node in cfg.logger.values() if node is not None]
    if rank_zero_only.rank == 0:
        write_text(run.path / "environment.json", json.dumps({"command": command(), **environment()}, indent=2) + "\n")
    callbacks = [build(node) for node in (cfg.get("callbacks") or {}).values() if node is not None]
    if not loggers:
        callbacks = [c for c in callbacks if not isinstance(c, LearningRateMonitor)]  # it insists on a logger
    trainer: pl.Trainer = build(cfg.trainer, callbacks=callbacks, logger=loggers, plugins=[WholeCheckpoints()])
    plain = OmegaConf.to_container(cfg, resolve=True)
    for logger in loggers:
        tracking.log_config(logger, plain)
    if checkpoint is not None:
        for logger in loggers:
            if isinstance(logger, MetricsLog):
                logger.rewind(_step_of(checkpoint))
        console.say(f"Going on from {checkpoint}")
    status = 1
    try:
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
        if trainer.fast_dev_run:
            status = 0
            return
        finish(run, module, data, trainer, loggers)
        status = 0
    finally:
        for logger in loggers:
            logger.save()
            tracking.finish(logger, status)


def command() -> str:
    """What was typed, as it can be typed again."""
    words = sys.argv[1:]
    return " ".join(["zoo", *([] if words[:1] in (["train"], ["resume"]) else ["train"]), *map(shlex.quote, words)])


def _step_of(checkpoint: Path) -> int:
    import torch

    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:
        raise InputError(f"{checkpoint} cannot be read ({type(error).__name__}): it is damaged; delete it") from error


def quiet() -> None:
    """Leave out what Lightning says on every run and nobody can act on."""
    import logging

    for pattern in (
        ".*does not have many workers.*",
        ".*LitLogger.*",
        ".*Starting from v1.9.0.*",
        ".*exists and is not empty.*",
        ".*smaller than the logging interval.*",
        ".*Precision 16-mixed is not supported.*",
        ".*isinstance.treespec, LeafSpec..*",
    ):
        warnings.filterwarnings("ignore", pattern)
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
