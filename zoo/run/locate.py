"""A run must find its files again from wherever it is looked at later."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from zoo.run.instantiate import resolve_target


def absolute_files(cfg: DictConfig) -> None:
    """Makes the paths of a person's files absolute, in place: the arguments that a class names in `files`, unless they
    are one of the words it names in `not_files`.

    What does not exist is left as it is: published weights may be named as they are called on the hub.
    """
    for node in [cfg, *cfg.values()]:
        if not isinstance(node, DictConfig):
            continue
        if node is not cfg:
            absolute_files(node)
        if "_target_" not in node:
            continue
        found = resolve_target(node["_target_"])
        for key in getattr(found, "files", ()):
            path = OmegaConf.select(node, key)
            if not isinstance(path, str) or path in getattr(found, "not_files", ()):
                continue
            if Path(path).expanduser().exists():
                node[key] = str(Path(path).expanduser().absolute())
