"""What a class takes, by name and type hint, and whether a value out of a config fits."""

from __future__ import annotations

import inspect
import types
import typing
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeException

UNKNOWN = object()  # stands for a value whose mistake has been reported already
INT_IS_A_FLOAT = BeartypeConf(is_pep484_tower=True)
WORDS = {int: "int (a whole number)", float: "float (a number)", bool: "bool (true or false)", str: "str (a text)"}


@dataclass(frozen=True)
class Argument:
    hint: Any
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Signature:
    arguments: dict[str, Argument]
    takes_anything: bool  # a foreign `**keywords`: nobody can say which names are wrong


def signature_of(found: type) -> Signature:
    """The keyword arguments of a class.

    `**keywords` of a class of ours are read as "handed to the parent", whose arguments then count too.
    """
    arguments: dict[str, Argument] = {}
    for owner in found.__mro__:
        init = vars(owner).get("__init__")
        if init is None:
            continue
        if owner in (object, torch.nn.Module):  # `*args, **kwargs` on paper, no argument in fact
            break
        hints = hints_of(init)
        open_ended = False
        for name, parameter in list(inspect.signature(init).parameters.items())[1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                open_ended = True
            elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                arguments.setdefault(name, Argument(hints.get(name, Any), parameter.default))
        if not open_ended:
            break
        if owner.__module__.split(".")[0] != "zoo" and owner is not pl.LightningModule:
            return Signature(arguments, takes_anything=True)
    return Signature(arguments, takes_anything=False)


def hints_of(init: Any) -> dict[str, Any]:
    """Type hints, one by one: a name imported for type checkers only costs its own argument, not all."""
    init = inspect.unwrap(init)
    hints = {}
    for name, annotation in getattr(init, "__annotations__", {}).items():
        try:
            alone = types.SimpleNamespace(__annotations__={name: annotation})
            hints |= typing.get_type_hints(alone, init.__globals__)
        except Exception:  # an annotation may hold any expression; one we cannot read asks for nothing
            hints[name] = Any
    return hints


def fits(value: Any, hint: Any) -> bool:
    """Whether a value out of YAML may stand where `hint` is asked for.

    Every item of a list is looked at (beartype looks at a random one), a list may stand for a tuple (YAML
    has none), an int for a float, and true or false for no number.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if value is UNKNOWN:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in inner)
    if isinstance(value, bool) and hint in (int, float):
        return False
    if isinstance(value, list) and hint is tuple:
        return True
    if isinstance(value, list) and origin is tuple:
        items = (inner[0],) * len(value) if inner[1:] == (...,) else inner
        return len(items) == len(value) and all(map(fits, value, items))
    if isinstance(value, list) and len(inner) == 1 and isinstance(origin, type) and issubclass(list, origin):
        return all(fits(item, inner[0]) for item in value)
    if isinstance(value, dict) and len(inner) == 2 and isinstance(origin, type) and issubclass(dict, origin):
        return all(fits(key, inner[0]) and fits(item, inner[1]) for key, item in value.items())
    try:
        return is_bearable(value, hint, conf=INT_IS_A_FLOAT)
    except BeartypeException:  # a hint that beartype cannot read asks for nothing
        return True


def expected(hint: Any) -> str:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(expected(option) for option in typing.get_args(hint))
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if hint is type(None):
        return "null"
    if isinstance(hint, type) and not typing.get_args(hint):
        return WORDS.get(hint, hint.__name__)
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
