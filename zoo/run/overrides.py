"""`find_mistakes`: everything wrong with a command line and with the config it composes, in one list.

Hydra stops at the first word it does not know and suggests nothing. Here Hydra stays the judge, but is asked
word by word: the largest set of overrides that composes is kept, each word left over is explained with the
nearest key or option, and the kept config goes through `check`. A sweep is tried value by value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from zoo.domain.errors import InputError
from zoo.run.check import Supplied, check
from zoo.run.hydra_settings import refused_settings
from zoo.run.instantiate import first_line, resolve_target
from zoo.run.signature import signature_of
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
def _command_line(argv: list[str], config_dir: str | Path, config_name: str) -> Iterator[_CommandLine]:
    arguments = get_args_parser().parse_args(argv)
    if arguments.config_path:
        config_dir = arguments.config_path
    with hydra.initialize_config_dir(str(Path(config_dir).resolve()), version_base="1.3", job_name="train"):
        search_path = GlobalHydra.instance().config_loader().get_search_path()
        if arguments.config_dir:
            more = f"file://{Path(arguments.config_dir).resolve()}"
            search_path.prepend("command-line", more, SearchPathQuery(provider="schema"))
        loader = ConfigLoaderImpl(search_path)
        yield _CommandLine(loader, arguments.config_name or config_name, arguments.overrides, arguments.multirun)


class _CommandLine:
    """The words of one command, and what Hydra makes of them."""

    def __init__(self, loader: ConfigLoaderImpl, config_name: str, words: list[str], multirun: bool):
        self.loader, self.config_name, self.words, self.multirun = loader, config_name, words, multirun
        self.kept: list[_Word] = []
        self.swept_mistakes: list[str] = []

    def compose(self, lines: list[str]) -> DictConfig:
        return self.loader.load_configuration(self.config_name, lines, run_mode=RunMode.RUN, from_shell=False)

    def objection(self, lines: list[str]) -> str:
        """What Hydra has against these overrides together; nothing when they compose."""
        try:
            self.compose(lines)
        except Exception as error:  # the files of a config may be broken in any way
            cause = error if str(error).strip() else error.__cause__ or error
            return first_line(cause)
        return ""

    def lines(self, without: _Word | None = None) -> list[str]:
        """The kept overrides in the order in which they were typed."""
        return [word.line for word in sorted(self.kept, key=lambda word: word.place) if word is not without]

    def settle(self) -> list[str]:
        """Keep the largest set of words that composes; explain the others."""
        words, mistakes = self._parse(self.words)
        if broken := self.objection([]):
            return [*mistakes, f"{self.config_name}: {broken}"]
        # Groups first: they decide which keys there are. Repeated, since a word may need a later one.
        waiting = sorted(words, key=lambda word: not self.is_group(word))
        progress = True
        while waiting and progress:
            left = [word for word in waiting if not self._keep(word)]
            waiting, progress = left, len(left) < len(waiting)
        cfg = self.compose(self.lines())
        self.multirun |= cfg.hydra.mode == RunMode.MULTIRUN
        if not self.multirun:
            mistakes += [
                f"{word.override.input_line}: several values make a sweep; add --multirun, or put a list in [ ]"
                for word in words
                if word.override.is_sweep_override()
            ]
        known = _known_keys(cfg)
        return mistakes + [self.explain(word, word.line, known) for word in waiting]

    def configs(self) -> Iterator[DictConfig]:
        """The composed config, then one for each further value of a sweep, one sweep at a time."""
        if self.objection([]):
            return
        cfg = self.compose(self.lines())
        yield cfg
        swept = list(self.kept)
        if self.multirun:
            params = OmegaConf.to_container(cfg.hydra.sweeper).get("params") or {}
            from_config, mistakes = self._parse([f"{key}={value}" for key, value in params.items()])
            self.swept_mistakes += [f"hydra.sweeper.params: {mistake}" for mistake in mistakes]
            swept += [_Word(word.override, word.place, ["", *word.choices]) for word in from_config]
        for word in swept:
            for line in word.choices[1:]:
                lines = [*self.lines(without=word), line]
                if self.objection(lines):
                    self.swept_mistakes.append(self.explain(word, line, _known_keys(cfg)))
                else:
                    yield self.compose(lines)

    def _parse(self, lines: list[str]) -> tuple[list[_Word], list[str]]:
        parser = OverridesParser.create(config_loader=self.loader)
        words, mistakes = [], []
        for place, line in enumerate(lines):
            try:
                override = parser.parse_override(line)
            except HydraException as error:
                hint = "" if "=" in line else "; a setting is given as key=value"
                mistakes.append(f"{line!r} cannot be read: {first_line(error.__cause__ or error)}{hint}")
                continue
            words.append(_Word(override, place, _choices(override)))
        return words, mistakes

    def _keep(self, word: _Word) -> bool:
        """Whether one of the word's values composes with what is kept; that one comes to the front."""
        for line in word.choices:
            if not self.objection([*self.lines(), line]):
                word.choices.remove(line)
                word.choices.insert(0, line)
                self.kept.append(word)
                return True
        return False

    def is_group(self, word: _Word) -> bool:
        return bool(self.loader.get_group_options(word.override.key_or_group))

    def explain(self, word: _Word, line: str, known: set[str]) -> str:
        """A word that does not compose, in one sentence with what to type instead."""
        key, override = word.override.key_or_group, word.override
        if (options := self.loader.get_group_options(key)) and "=" in line:
            option = line.partition("=")[2]
            if option not in options:
                return f"{line}: {key} has no {option!r}{meant(nearest(option, options))}; it has {', '.join(options)}"
        exists = key in known
        if override.is_add() and exists:
            return f"{key}: already there; write {line.lstrip('+')}"
        if not exists and f"+{key}" in known:
            return f"{key}: not in the config; to add it, write +{line}"
        if not exists and not override.is_add() and not override.is_force_add():
            groups = [group for group in self.loader.list_groups("") if group != "hydra"]
            near = nearest(key, [*(name.lstrip("+") for name in known), *groups])
            return f"{key}: no such setting{meant(near)}"
        return f"{line}: {self.objection([*self.lines(without=word), line])}"


@dataclass
class _Word:
    """One override. choices: the overrides it stands for, more than one where it sweeps; the first is used."""

    override: Override
    place: int
    choices: list[str]

    @property
    def line(self) -> str:
        return self.choices[0]


def _choices(override: Override) -> list[str]:
    sweep = override.value()
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [override.input_line or key]
    if isinstance(sweep, IntervalSweep):
        return [f"{key}={sweep.start}", f"{key}={sweep.end}"]
    values = list(override.sweep_string_iterator())
    return [f"{key}={value}" for value in (values[:1] if isinstance(sweep, RangeSweep) else values)]


def _mistakes_of(cfg: DictConfig, line: _CommandLine, supplied: Supplied | None) -> list[str]:
    cfg.hydra.runtime.output_dir = cfg.hydra.run.dir  # what `${hydra:runtime.output_dir}` will be
    singleton = HydraConfig.instance()
    before, singleton.cfg = singleton.cfg, cfg
    try:
        task = deepcopy(cfg)
        with read_write(task), open_dict(task):
            del task["hydra"]
        added = tuple(word.override.key_or_group for word in line.kept if "+" in word.override.get_key_element())
        strays = [at for at in _strays(task, line.compose([]), line) if not at.startswith(added)]
        known = _known_keys(line.compose([]))
        return [
            *refused_settings(cfg.hydra),
            *(f"{at}: no such setting{meant(nearest(at, known))}" for at in strays),
            *check(task, supplied),
        ]
    finally:
        singleton.cfg = before


def _strays(node: DictConfig, plain: DictConfig, line: _CommandLine, path: str = "") -> Iterator[str]:
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


def _known_keys(cfg: DictConfig) -> set[str]:
    """All dotted keys; "+key" for an argument that a `_target_` takes and the config does not mention."""
    known: set[str] = set()

    def visit(node: Any, path: str) -> None:
        if isinstance(node, Mapping):
            for key, value in node.items():
                at = f"{path}.{key}" if path else str(key)
                known.add(at)
                visit(value, at)
            try:
                takes = signature_of(resolve_target(node["_target_"])).arguments if "_target_" in node else ()
            except InputError:
                takes = ()
            known.update(f"+{path}.{name}" for name in takes if name not in node)

    visit(OmegaConf.to_container(cfg, resolve=False), "")
    return known
