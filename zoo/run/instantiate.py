"""`build`: the one door from a config to objects, and the short list of what may pass it.

A config may come from a stranger (a run folder, an experiment in a chat), and Hydra's `instantiate` calls
whatever `_target_` names. So every `_target_` of a config must be

1. a dotted name in `zoo`, `torch.nn` or `pytorch_lightning`, read as *module, then class*: only modules of these
   packages are imported and no attribute is followed further (`pytorch_lightning.trainer.trainer.os.system`);
2. a class whose own home is in these packages: not a function, not a class that they merely imported;
3. one of the things that a run is made of: a module, data module, callback, trainer, logger, or a frozen
   dataclass of `zoo`. A pool of processes or an unpickler is none of these.

The config is resolved once and what was checked is what is built: text that would be resolved a second time
(`\\${oc.create:...}`) is refused.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import hydra.utils
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from zoo.domain.errors import InputError
from zoo.run.suggest import meant, nearest

PACKAGES = ("zoo", "torch.nn", "pytorch_lightning")
PARTS_OF_A_RUN = (torch.nn.Module, pl.LightningDataModule, pl.Callback, pl.Trainer, pl.loggers.Logger)
REFUSED_KEYS = ("_partial_", "_args_", "_recursive_")  # each would let a config change how a call is made

# Lightning opens its folders with fsspec, whose `reference::https://...` fetches a file and renders its templates.
CHAINED_URL = re.compile(r"[A-Za-z][\w+.-]*(://\S*)?::")


def build(cfg: Any, **extra: Any) -> Any:
    """The object(s) that a config describes, with `extra` arguments handed to the outermost class untouched.

    A mapping or list without a `_target_` of its own becomes a dict or list of what is built inside.
    Raises `InputError` that names every refused target, before anything is built.
    """
    if cfg is None:
        return None
    plain = resolve(cfg)
    if refused := [f"{path}: {reason}" for path, reason in refusals(plain)]:
        raise InputError("this config may not be built, since it could run foreign code: " + "; ".join(refused))
    try:
        return _built(plain, extra)
    except InstantiationException as error:
        cause = error.__cause__
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        if isinstance(cause, InputError | ValueError | TypeError | MisconfigurationException):
            raise InputError(f"{_target_name(error)}{first_line(cause)}") from error
        raise


def _built(plain: Any, extra: dict[str, Any]) -> Any:
    if not extra:
        return hydra.utils.instantiate(plain, _convert_="all")
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise TypeError(f"build(..., {', '.join(extra)}=...) needs a config with a _target_")
    # A partial carries `extra` past OmegaConf, which would copy models and misread dataclasses.
    own = {name: value for name, value in plain.items() if name not in extra}
    return hydra.utils.instantiate(own, _convert_="all", _partial_=True)(**extra)


def _target_name(error: InstantiationException) -> str:
    """ "ConvStem: ", from Hydra's "Error in call to target 'zoo.genomics.embed.ConvStem': ..."."""
    found = re.search(r"target '[\w.]*?(\w+)'", str(error))
    return f"{found[1]}: " if found else ""


def resolve(cfg: Any) -> Any:
    """The config as plain Python, with all interpolations resolved and nothing missing."""
    if not isinstance(cfg, DictConfig | ListConfig):
        cfg = OmegaConf.create(cfg, flags={"allow_objects": True})
    try:
        return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except RecursionError:
        raise InputError("the config refers to itself without end") from None
    except OmegaConfBaseException as error:
        raise InputError(f"the config cannot be resolved: {first_line(error)}") from error


def refusals(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, reason) of everything in a resolved config that may not be built."""
    if isinstance(node, str):
        if reason := text_refusal(node):
            yield path, reason
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from refusals(item, f"{path}[{index}]")
    elif isinstance(node, dict):
        if "_target_" in node:
            try:
                resolve_target(node["_target_"])
            except InputError as error:
                yield path or "the config", str(error)
        for key in REFUSED_KEYS:
            if key in node:
                yield path or "the config", f"'{key}' is not allowed here"
        if node.get("_convert_", "all") != "all":
            yield path or "the config", "'_convert_' is always 'all' here"
        for key, value in node.items():
            if key != "_target_":
                yield from refusals(value, f"{path}.{key}" if path else str(key))


def text_refusal(text: str) -> str:
    """Why a text may not stay in a resolved config, or nothing."""
    if "${" in text:
        return "'${' is left after the config was resolved; it may not be resolved twice"
    if CHAINED_URL.match(text):
        return f"{text!r} is a chained URL, which may render a template from elsewhere"
    return ""


def resolve_target(dotted: object) -> type:
    """The class that a `_target_` names; `InputError` says why it may not be built."""
    if not isinstance(dotted, str):
        raise InputError(f"_target_ must be the dotted name of a class, not {dotted!r}")
    parts = dotted.split(".")
    if not all(part.isidentifier() and not part.startswith("_") for part in parts):
        raise InputError(f"_target_ {dotted!r} is not the dotted name of a public class")
    module_name, _, class_name = dotted.rpartition(".")
    if not _inside(module_name):
        raise InputError(f"_target_ {dotted!r} is not in {', '.join(PACKAGES)}")
    # `vars`, not `getattr`: a module's __getattr__ is code too.
    members = vars(_import(module_name, dotted))
    if class_name not in members:
        classes = [name for name, member in members.items() if isinstance(member, type)]
        raise InputError(f"_target_ {dotted!r}: {module_name} has no {class_name}{meant(nearest(class_name, classes))}")
    found = members[class_name]
    if not isinstance(found, type):
        raise InputError(f"_target_ {dotted!r} is not a class")
    if not _inside(found.__module__):
        home = f"{found.__module__}.{found.__qualname__}"
        raise InputError(f"_target_ {dotted!r} is {home}, which is not in {', '.join(PACKAGES)}")
    if not issubclass(found, PARTS_OF_A_RUN) and not _is_record(found):
        raise InputError(
            f"_target_ {dotted!r} is no module, data module, callback, trainer, logger or frozen dataclass of zoo"
        )
    if inspect.isabstract(found):
        raise InputError(f"_target_ {dotted!r} is abstract: name one of its subclasses")
    return found


def _inside(module_name: str) -> bool:
    return any(module_name == package or module_name.startswith(package + ".") for package in PACKAGES)


def _is_record(found: type) -> bool:
    """A frozen dataclass of ours: it holds its arguments and does nothing."""
    ours = found.__module__.split(".")[0] == "zoo"
    return ours and dataclasses.is_dataclass(found) and found.__dataclass_params__.frozen  # type: ignore[attr-defined]


def _import(module_name: str, dotted: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ImportError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise InputError(f"_target_ {dotted!r}: there is no module {error.name}") from None
        raise InputError(f"_target_ {dotted!r} cannot be imported: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
