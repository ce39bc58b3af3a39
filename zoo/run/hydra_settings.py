"""What a config may ask of Hydra itself.

Hydra builds its own callbacks, launcher, sweeper and log handlers out of the `hydra` node, before our program
has a say; an experiment from a stranger may set any of them. So that node is looked at before Hydra runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hydra.core.plugins import Plugins
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CALLBACKS = ("hydra.experimental.callbacks.LogJobReturnCallback",)
SAMPLERS = re.compile(r"optuna\.samplers\.[A-Z]\w*Sampler")  # the Optuna sweeper is told its sampler so
LOG_CLASSES = re.compile(
    r"logging\.(StreamHandler|FileHandler|NullHandler|Formatter|handlers\.RotatingFileHandler)"
    r"|colorlog\.ColoredFormatter"
)
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


BUILT = ("callbacks", "launcher", "sweeper", "job_logging", "hydra_logging")


def refused_settings(hydra_node: DictConfig) -> list[str]:
    """One sentence for each setting through which a config would run code of its own choice.

    hydra_node: the `hydra` node in its place in the composed config, so that interpolations resolve.
    """
    mistakes = [f"{path}: {reason}" for path, reason in _refused(hydra_node, "hydra", section="")]
    if names := list(hydra_node.job.env_set):
        mistakes.append(f"hydra.job.env_set: set {', '.join(names)} in the shell; a variable can change what is run")
    return mistakes


def _refused(node: Any, path: str, section: str) -> Iterator[tuple[str, str]]:
    keys = range(len(node)) if isinstance(node, ListConfig) else node
    for key in keys:
        here = f"{path}[{key}]" if isinstance(node, ListConfig) else f"{path}.{key}"
        within = section or (key if key in BUILT else "")
        if OmegaConf.is_missing(node, key) or not within:
            continue
        try:
            value = node[key]
        except OmegaConfBaseException:
            yield here, "cannot be resolved yet, so nobody can say what it would run"
            continue
        if OmegaConf.is_config(value):
            yield from _refused(value, here, within)
        elif reason := _reason(within, key, value):
            yield here, reason


def _reason(section: str, key: Any, value: Any) -> str:
    """Why one leaf may not stay, or nothing."""
    if isinstance(value, str) and "${" in value:
        return "'${' is left after the config was resolved; it may not be resolved twice"
    if section in ("job_logging", "hydra_logging"):
        if key in ("()", "class") and not LOG_CLASSES.fullmatch(str(value)):
            return f"{value!r} is not a known log handler"
        if isinstance(value, str) and "ext://" in value and value not in STREAMS:
            return f"{value!r} is neither of {' and '.join(STREAMS)}"
    elif key == "_target_":
        plugins = Plugins.instance().class_name_to_class
        if value not in plugins and value not in CALLBACKS and not SAMPLERS.fullmatch(str(value)):
            return f"{value!r} is not one of Hydra's own parts"
    elif key in ("_args_", "_partial_") or (section == "launcher" and key in ("setup", "python")):
        return "not allowed, since it could run foreign code"
    return ""
