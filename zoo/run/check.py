"""`check`: every mistake of a composed config at once, before anything is built.

Each node with a `_target_` is held against the signature of its class: unknown argument (with "did you mean"),
missing argument, value that does not fit the type hint. A class may offer

    @classmethod
    def problems(cls, *, positives, **rest) -> Iterable[str]:
        if not Path(positives).is_file():
            yield f"positives={positives}: there is no such file"

to look at what no hint can say. It receives all arguments (defaults filled in, nested nodes as plain dicts,
nothing that the program supplies later; the default in place of one that is wrong). A sentence that opens with an
argument's name gets the node's path in front: `data.positives=my.fa: there is no such file`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from zoo.domain.errors import InputError
from zoo.run.instantiate import REFUSED_KEYS, first_line, resolve_target, text_refusal
from zoo.run.signature import UNKNOWN, expected, fits, signature_of
from zoo.run.suggest import meant, nearest

Supplied = Mapping[str, Collection[str]]


def check(cfg: Any, supplied: Supplied | None = None) -> list[str]:
    """One sentence for each mistake; empty when `build` can be called.

    supplied: arguments that the program hands to `build` itself, {"trainer": {"callbacks", "logger"}}.
    """
    if not isinstance(cfg, DictConfig | ListConfig):
        cfg = OmegaConf.create(cfg)
    checker = _Checker(supplied or {})
    try:
        checker.read_container(cfg, home(cfg))
    except RecursionError:
        checker.mistakes.append("the config refers to itself without end")
    return list(dict.fromkeys(checker.mistakes))


class _Checker:
    """Walks a config, collecting mistakes; a checked node becomes a bare instance of its class, so that the
    type hint one floor up can be held against it like against any other value."""

    def __init__(self, supplied: Supplied):
        self.supplied = supplied
        self.mistakes: list[str] = []

    def read(self, parent: Any, key: Any, path: str) -> Any:
        if OmegaConf.is_missing(parent, key):
            self.mistakes.append(f"{path}: missing; give it as {path}=...")
            return UNKNOWN
        try:
            value = parent[key]
        except InterpolationToMissingValueError:
            return UNKNOWN  # reported where it is missing
        except OmegaConfBaseException as error:
            if isinstance(error.__cause__, RecursionError) or "RecursionError" in str(error):
                raise RecursionError from error
            self.mistakes.append(f"{path}: cannot be resolved: {first_line(error)}")
            return UNKNOWN
        if isinstance(value, str) and (reason := text_refusal(value)):
            self.mistakes.append(f"{path}: {reason}")
            return UNKNOWN
        if OmegaConf.is_config(value):
            # The key of the value's own home: `model.backbone: ${backbone}` speaks of `backbone`, once.
            return self.read_container(value, home(value))
        return value

    def read_container(self, node: Any, path: str) -> Any:
        if isinstance(node, ListConfig):
            return [self.read(node, index, f"{path}[{index}]") for index in range(len(node))]
        values = {key: self.read(node, key, f"{path}.{key}" if path else str(key)) for key in node}
        if "_target_" not in values:
            return values
        found = self.class_of(values, path)
        if found is UNKNOWN:
            return UNKNOWN
        sound = self.check_arguments(found, values, path)
        if hasattr(found, "problems"):
            with suppress(OmegaConfBaseException):  # deeper down, and reported there
                self.ask(found, {name: plain(node[name]) for name in sound}, path)
        return object.__new__(found)

    def class_of(self, values: dict[str, Any], path: str) -> Any:
        where = path or "the config"
        self.mistakes += [f"{where}: '{key}' is not allowed here" for key in REFUSED_KEYS if key in values]
        if values.get("_convert_", "all") != "all":
            self.mistakes.append(f"{where}: '_convert_' is always 'all' here")
        if values["_target_"] is UNKNOWN:
            return UNKNOWN
        try:
            return resolve_target(values["_target_"])
        except InputError as error:
            self.mistakes.append(f"{where}: {error}")
            return UNKNOWN

    def check_arguments(self, found: type, values: dict[str, Any], path: str) -> list[str]:
        """Hold the arguments of a node against the signature; the names of those that fit."""
        signature = signature_of(found)
        sound = []
        from_program = self.supplied.get(path, ())
        given = {name: value for name, value in values.items() if not is_hydra_key(name)}
        for name, value in given.items():
            at = f"{path}.{name}" if path else str(name)
            if name in from_program:
                self.mistakes.append(f"{at}: the program sets this itself; take it out of the config")
            elif name not in signature.arguments:
                if not signature.takes_anything:
                    near = meant(nearest(str(name), signature.arguments))
                    self.mistakes.append(f"{at}: {found.__name__} takes no {str(name)!r}{near}")
            elif not fits(value, hint := signature.arguments[name].hint):
                self.mistakes.append(f"{at}{shown(value)}: expected {expected(hint)}, got {described(value)}")
            elif value is not UNKNOWN:
                sound.append(name)
        for name, argument in signature.arguments.items():
            if argument.required and name not in given and name not in from_program:
                at = f"{path}.{name}" if path else name
                self.mistakes.append(f"{at}: missing; {found.__name__} needs it, give it as +{at}=...")
        return sound

    def ask(self, found: Any, sound: dict[str, Any], path: str) -> None:
        """The class's own `problems`; where an argument is wrong its default stands in, if it has one."""
        arguments = dict(sound)
        for name, argument in signature_of(found).arguments.items():
            if name in sound or name in self.supplied.get(path, ()):
                continue
            if argument.required:
                return
            arguments[name] = argument.default
        try:
            problems = [str(problem) for problem in found.problems(**arguments)]
        except InputError as error:
            problems = [str(error)]
        for problem in problems:
            name = re.match(r"\w+(?=[=:.\[])", problem)
            joint = "." if name and name[0] in arguments else ": "
            self.mistakes.append(f"{path}{joint}{problem}" if path else problem)


def plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def home(node: Any) -> str:
    """The dotted path at which a container stands, wherever it is spoken of."""
    parent = node._get_parent()
    if parent is None:
        return ""
    before, key = home(parent), node._key()
    if isinstance(parent, ListConfig):
        return f"{before}[{key}]"
    return f"{before}.{key}" if before else str(key)


def described(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"{value!r}"
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'mapping'}"
    return type(value).__name__


def shown(value: Any) -> str:
    """`=value` as it would be typed, where that is short enough to help."""
    if isinstance(value, list):
        inside = [shown(item)[1:] for item in value]
        return f"=[{','.join(inside)}]" if all(inside) and len(inside) <= 8 else ""
    if value is None or isinstance(value, bool):
        return "=" + described(value)
    return f"={value}" if isinstance(value, str | int | float) and len(str(value)) <= 80 else ""


def is_hydra_key(name: Any) -> bool:
    return name in ("_target_", "_convert_", *REFUSED_KEYS)
