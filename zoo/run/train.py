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
from zoo.run.interrupt import Interrupted, ended_together, signals_kept
from zoo.run.locate import absolute_files
from zoo.run.metrics_log import MetricsLog, write_out
from zoo.run.overrides import find_mistakes
from zoo.run.paths import conf_dir

SUPPLIED = {"trainer": {"callbacks", "logger", "plugins"}}  # arguments that this program hands over itself


def main(argv: list[str] | None = None, verb: tuple[str, ...] = ()) -> None:
    """Train as the words of the command line say. Exits with 2 after a mistake of the person's, having said it.

    verb: the words that stood before them, for which Hydra has no use.
    """
    quiet()
    given = sys.argv[1:] if argv is None else argv
    words = [in_folder(word, sweep=bool({"-m", "--multirun"} & set(given))) for word in given]
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


def in_folder(word: str, sweep: bool) -> str:
    """`run_dir=here` is what a person types; it is Hydra that makes the folder, by a name of its own."""
    key, _, folder = word.partition("=")
    return f"hydra.{'sweep' if sweep else 'run'}.dir={folder}" if key == "run_dir" else word


def _job(cfg: DictConfig) -> None:
    run = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    OmegaConf.set_struct(cfg, False)
    absolute_files(cfg)
    guarded(run, lambda: _new(run, cfg))


def _new(run: RunFolder, cfg: DictConfig) -> None:
    if run.has_checkpoint and rank_zero_only.rank == 0:  # the other processes may find what the first has begun
        raise InputError(f"{run.path} holds a run already: go on with `zoo resume`, or name a new folder")
    train(run, cfg)


def resume(path: str, overrides: list[str]) -> None:
    """Go on with a run from its last saved point. overrides: dotted `key=value` changes, e.g. trainer.max_epochs=20."""
    quiet()
    run = RunFolder.open(path)
    cfg = run.config_here()
    checkpoint = run.last_checkpoint()
    for word in overrides:
        key, found, value = word.partition("=")
        old = OmegaConf.select(cfg, key, default=MISSING) if found else MISSING
        if old is MISSING or key.split(".")[0] not in CHANGEABLE or "." not in key:
            raise InputError(
                f"{word}: expected key=value with a key of {run.config_file} under {', '.join(CHANGEABLE)}, such as "
                "trainer.max_epochs=40; the rest is in the checkpoint: train anew to change it"
            )
        try:
            new = OmegaConf.create(f"v: {value}").v
        except (YAMLError, OmegaConfBaseException) as error:
            raise InputError(f"{word}: the value cannot be read as YAML") from error
        if OmegaConf.is_config(old) and new is not None and not OmegaConf.is_config(new):
            raise InputError(f"{word}: {key} has keys of its own ({', '.join(map(str, old))}); change one of them")
        OmegaConf.update(cfg, key, new)
    if mistakes := check(cfg, SUPPLIED):
        console.mistakes(mistakes)
        sys.exit(2)
    guarded(run, lambda: train(run, cfg, checkpoint))


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


def train(run: RunFolder, cfg: DictConfig, checkpoint: Path | None = None) -> None:
    """Fit, test on the best epoch, and say what the attention learned, all into `run`. From `checkpoint`, if given."""
    cfg = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    step = None if checkpoint is None else _step_of(checkpoint, cfg.trainer.get("max_epochs"))
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, module = build(cfg.data), build(cfg.model)
    data.setup()  # a file that cannot be used is said before anything else is started
    if checkpoint is not None and cfg.logger.get("wandb"):
        cfg.logger.wandb.id = tracking.last_run_id(run.path)  # a resumed run keeps its W&B id
    loggers: list[Logger] = [build(node) for node in cfg.logger.values() if node is not None]
    callbacks = [build(node) for node in (cfg.get("callbacks") or {}).values() if node is not None]
    if not loggers:
        callbacks = [c for c in callbacks if not isinstance(c, LearningRateMonitor)]  # it insists on a logger
    trainer: pl.Trainer = build(cfg.trainer, callbacks=callbacks, logger=loggers, plugins=[WholeCheckpoints()])
    plain = OmegaConf.to_container(cfg)
    if rank_zero_only.rank == 0:  # all could be built: from here on there is a run
        run.save_config(cfg)
        so_far = [run.command()] if checkpoint is not None and run.command() else []
        made = {"command": " && ".join([*so_far, command()]), **environment()}
        write_text(run.environment_file, json.dumps(made, indent=2) + "\n")
    for logger in loggers:
        tracking.log_config(logger, plain)
    for logger in loggers:
        if isinstance(logger, MetricsLog):
            logger.rewind(step or 0)  # a run that ended before its first checkpoint may have left rows
    if step is not None:
        console.say(f"Going on from {checkpoint}")
    status = 1
    try:
        with signals_kept(), ended_together(trainer):
            trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
        if trainer.fast_dev_run:
            status = 0
            return
        finish(run, module, data, trainer, loggers, cfg.get("insight", True))
        status = 0
    finally:
        write_out(loggers)
        for logger in loggers:
            tracking.finish(logger, status)


def command() -> str:
    """What was typed, as it can be typed again."""
    words = sys.argv[1:]
    return " ".join(["zoo", *([] if words[:1] in (["train"], ["resume"]) else ["train"]), *map(shlex.quote, words)])


def _step_of(checkpoint: Path, max_epochs: int | None) -> int:
    """Raises InputError if the file is damaged, or the run has gone further than `max_epochs`."""
    import torch

    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        step, epoch = int(state["global_step"]), int(state["epoch"])
    except Exception as error:
        raise InputError(f"{checkpoint} cannot be read ({type(error).__name__}): it is damaged; delete it") from error
    if max_epochs is not None and 0 <= max_epochs < epoch:
        raise InputError(f"{checkpoint} is in epoch {epoch}, and trainer.max_epochs={max_epochs}: give more")
    return step


def quiet() -> None:
    """Leave out what Lightning says on every run and nobody can act on."""
    import logging

    warnings.formatwarning = lambda message, *_, **__: f"{message}\n"  # without the line of code that said it
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
