"""The words of one command line, judged by Hydra one by one and explained where it objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from zoo.domain.errors import InputError
from zoo.run.instantiate import first_line, resolve_target
from zoo.run.signature import signature_of
from zoo.run.suggest import meant, nearest


class CommandLine:
    """The words of one command, and what Hydra makes of them."""

    def __init__(self, loader: ConfigLoaderImpl, config_name: str, words: list[str], multirun: bool):
        self.loader, self.config_name, self.words, self.multirun = loader, config_name, words, multirun
        self.composed: dict[tuple[str, ...], DictConfig] = {}
        self.kept: list[Word] = []
        self.swept_mistakes: list[str] = []
        self.plain: DictConfig | None = None  # the config without any override; None where that is broken

    def compose(self, lines: list[str]) -> DictConfig:
        if tuple(lines) not in self.composed:
            self.composed[tuple(lines)] = self.loader.load_configuration(
                self.config_name, lines, run_mode=RunMode.RUN, from_shell=False
            )
        return self.composed[tuple(lines)]

    def objection(self, lines: list[str]) -> str:
        """What Hydra has against these overrides together; nothing when they compose."""
        try:
            self.compose(lines)
        except Exception as error:  # the files of a config may be broken in any way
            return _in_one_line(error)
        return ""

    def lines(self, without: Word | None = None) -> list[str]:
        """The kept overrides in the order in which they were typed."""
        return [word.line for word in sorted(self.kept, key=lambda word: word.place) if word is not without]

    def settle(self) -> list[str]:
        """Keep the largest set of words that composes; explain the others."""
        words, mistakes = self._parse(self.words)
        if broken := self.objection([]):
            return [*mistakes, f"{self.config_name}: {broken}"]
        self.plain = self.compose([])
        # Groups first: they decide which keys there are. Repeated, since a word may need a later one.
        waiting = sorted(words, key=lambda word: not self.options(word.override))
        all_at_once = all(self.has_option(word, word.line) for word in words)
        if all_at_once and not self.objection([word.line for word in words]):
            self.kept, waiting = list(words), []  # the usual case
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
        known = known_keys(cfg)
        return mistakes + [self.explain(word, word.line, known) for word in waiting]

    def configs(self) -> Iterator[DictConfig]:
        """The composed config, then one for each further value of a sweep, one sweep at a time."""
        if self.plain is None:
            return
        cfg = self.compose(self.lines())
        yield cfg
        swept = list(self.kept)
        if self.multirun:
            params = OmegaConf.to_container(cfg.hydra.sweeper).get("params") or {}
            from_config, mistakes = self._parse([f"{key}={value}" for key, value in params.items()])
            self.swept_mistakes += [f"hydra.sweeper.params: {mistake}" for mistake in mistakes]
            swept += [Word(word.override, word.place, ["", *word.choices]) for word in from_config]
        for word in swept:
            for line in word.choices[1:]:
                lines = [*self.lines(without=word), line]
                if not self.has_option(word, line) or self.objection(lines):
                    self.swept_mistakes.append(self.explain(word, line, known_keys(cfg)))
                else:
                    yield self.compose(lines)

    def _parse(self, lines: list[str]) -> tuple[list[Word], list[str]]:
        parser = OverridesParser.create(config_loader=self.loader)
        words, mistakes = [], []
        for place, line in enumerate(lines):
            try:
                (override,) = parser.parse_overrides([line])
            except HydraException as error:
                hint = "" if "=" in line else "; a setting is given as key=value"
                mistakes.append(f"{line!r} cannot be read: {first_line(error.__cause__ or error)}{hint}")
                continue
            if not override.key_or_group:
                mistakes.append(f"{line!r} cannot be read: a setting is given as key=value")
                continue
            if not (choices := _choices(override)):
                mistakes.append(f"{line}: matches none of {', '.join(self.options(override))}")
                continue
            words.append(Word(override, place, choices))
        return words, mistakes

    def _keep(self, word: Word) -> bool:
        """Whether one of the word's values composes with what is kept; that one comes to the front."""
        for line in word.choices:
            if self.has_option(word, line) and not self.objection([*self.lines(), line]):
                word.choices.remove(line)
                word.choices.insert(0, line)
                self.kept.append(word)
                return True
        return False

    def options(self, override: Override) -> list[str]:
        """The files of a config group; nothing for the key of a value."""
        return self.loader.get_group_options(override.key_or_group)

    def has_option(self, word: Word, line: str) -> bool:
        """False for an option that a group lacks. Hydra lets that pass where the group is `optional`."""
        options = self.options(word.override)
        option = line.partition("=")[2]
        return not options or option in ("", "null", *options) or option.startswith("[")

    def explain(self, word: Word, line: str, known: set[str]) -> str:
        """A word that does not compose, in one sentence with what to type instead."""
        key, override = word.override.key_or_group, word.override
        if not self.has_option(word, line):
            option, options = line.partition("=")[2], self.options(override)
            return f"{line}: {key} has no {option!r}{meant(nearest(option, options))}; it has {', '.join(options)}"
        exists = key in known
        if override.is_add() and exists:
            return f"{key}: already there; write {line.lstrip('+')}"
        if not exists and f"+{key}" in known:
            return f"{key}: not in the config; to add it, write +{line}"
        if not exists and not override.is_add() and not override.is_force_add():
            names = [name.lstrip("+") for name in known] + self.loader.list_groups("")
            about_hydra = key.startswith("hydra")
            near = nearest(key, [name for name in names if name.startswith("hydra") == about_hydra])
            return f"{key}: no such setting{meant(near)}"
        return f"{line}: {self.objection([*self.lines(without=word), line])}"


def _in_one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: {error.problem}"
    if error.__cause__ and (not str(error).strip() or str(error).startswith("Error merging")):
        error = error.__cause__  # type: ignore[assignment]
    return first_line(error)


@dataclass
class Word:
    """One override. choices: the overrides it stands for, more than one where it sweeps; the first is used."""

    override: Override
    place: int
    choices: list[str]

    @property
    def line(self) -> str:
        return self.choices[0]


def _choices(override: Override) -> list[str]:
    """The plain overrides behind one that sweeps; of a range, all of a kind, the first one stands for all."""
    sweep, key = override.value(), override.get_key_element()
    if not override.is_sweep_override():
        return [override.input_line or key]
    if isinstance(sweep, IntervalSweep):
        return [f"{key}={sweep.start}", f"{key}={sweep.end}"]
    values = override.sweep_string_iterator()
    return [f"{key}={value}" for value in (islice(values, 1) if isinstance(sweep, RangeSweep) else values)]


def known_keys(cfg: DictConfig) -> set[str]:
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
