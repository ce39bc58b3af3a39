"""`find_mistakes`: everything wrong with a command line and with the config it composes, in one list.

Hydra stops at the first word it does not know and suggests nothing. Here Hydra stays the judge, but is asked
word by word: the largest set of overrides that composes is kept, each word left over is explained with the
nearest key or option, and the kept config goes through `check`. A sweep is tried value by value.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from zoo.run.check import Supplied, check
from zoo.run.command_line import CommandLine, known_keys
from zoo.run.hydra_settings import refused_settings
from zoo.run.suggest import meant, nearest


def find_mistakes(
    argv: list[str], config_dir: str | Path, config_name: str, supplied: Supplied | None = None
) -> list[str]:
    """Mistakes of the overrides and of the composed config, together. Call it before `hydra.main` runs:
    the config may ask Hydra itself for things that a stranger should not be given."""
    with _command_line(argv, config_dir, config_name) as line:
        mistakes = line.settle()
        for cfg in line.configs():
            mistakes += _mistakes_of(cfg, line, supplied)
        mistakes += line.swept_mistakes
    return list(dict.fromkeys(mistakes))


def check_overrides(argv: list[str], config_dir: str | Path, config_name: str) -> list[str]:
    """Mistakes of the words on the command line alone."""
    with _command_line(argv, config_dir, config_name) as line:
        return line.settle()


@contextmanager
def _command_line(argv: list[str], config_dir: str | Path, config_name: str) -> Iterator[CommandLine]:
    arguments = get_args_parser().parse_intermixed_args(argv)
    folder = Path(config_dir).resolve()
    if arguments.config_path:
        folder = folder.parent / arguments.config_path
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(folder), version_base="1.3", job_name="train"):
            search_path = GlobalHydra.instance().config_loader().get_search_path()
            if arguments.config_dir:
                more = f"file://{Path(arguments.config_dir).resolve()}"
                search_path.prepend("command-line", more, SearchPathQuery(provider="schema"))
            loader = ConfigLoaderImpl(search_path)
            yield CommandLine(loader, arguments.config_name or config_name, arguments.overrides, arguments.multirun)
    finally:
        GlobalHydra.instance().hydra = running


def _mistakes_of(cfg: DictConfig, line: CommandLine, supplied: Supplied | None) -> list[str]:
    with suppress(OmegaConfBaseException):  # a name in it may be missing, and is reported where it is
        cfg.hydra.runtime.output_dir = cfg.hydra.run.dir  # what `${hydra:runtime.output_dir}` will be
    singleton = HydraConfig.instance()
    before, singleton.cfg = singleton.cfg, cfg
    try:
        task = deepcopy(cfg)
        with read_write(task), open_dict(task):
            del task["hydra"]
        added = tuple(word.override.key_or_group for word in line.kept if "+" in word.override.get_key_element())
        strays = [at for at in _strays(task, line.plain, line) if not at.startswith(added)]
        known = [name for name in known_keys(line.plain) if not name.startswith(("+", "hydra"))]
        return [
            *refused_settings(cfg.hydra),
            *(f"{at}: no such setting{meant(nearest(at, known))}" for at in strays),
            *check(task, supplied),
        ]
    finally:
        singleton.cfg = before


def _strays(node: DictConfig, plain: DictConfig, line: CommandLine, path: str = "") -> Iterator[str]:
    """Keys outside any `_target_` and any group that the config without overrides does not have: an
    experiment file that says `optimizer.learning_rate` where the setting is `optimizer.lr`."""
    for key in node:
        at = f"{path}.{key}" if path else str(key)
        if not path and key in line.loader.list_groups(""):
            continue
        if key not in plain:
            yield at
            continue
        mine, base = node._get_node(key), plain._get_node(key)
        if isinstance(mine, DictConfig) and isinstance(base, DictConfig) and "_target_" not in mine and len(base):
            yield from _strays(mine, base, line, at)
