"""From the names that others gave to weights to ours, by a table that can be read.

    Rule("blocks.{i}.attention.qkv.{p}", "layer.{i}.query.{p}", "layer.{i}.key.{p}", "layer.{i}.value.{p}")

Every tensor of ours must be filled and every one of theirs used, or named as left out on purpose: a checkpoint that
half fits is a wrong model that looks right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from zoo.attention.pretrained import WeightsError

BLANKS = {r"\{i\}": r"(?P<i>\d+)", r"\{j\}": r"(?P<j>\d+)", r"\{p\}": r"(?P<p>weight|bias)"}
MOST_NAMED = 4  # of one kind of mistake


class Rule:
    """`ours` is made of `theirs`, joined along the first axis in this order, and then `made`.

    In names, {i} and {j} stand for numbers and {p} for weight or bias, the same on both sides.
    """

    def __init__(self, ours: str, *theirs: str, made: Callable[[Tensor], Tensor] | None = None):
        pattern = re.escape(ours)
        for blank, meaning in BLANKS.items():
            pattern = pattern.replace(blank, meaning)
        self.ours, self.theirs, self.made = re.compile(pattern), theirs, made

    def sources(self, name: str) -> list[str] | None:
        """The names of theirs that our tensor `name` is made of; None if the rule is not about it."""
        found = self.ours.fullmatch(name)
        return None if found is None else [t.format(**found.groupdict()) for t in self.theirs]

    def value(self, parts: list[Tensor]) -> Tensor:
        """Of our tensor. Parts that cannot be joined give an empty one, which has no shape of ours."""
        if len({part.shape[1:] for part in parts}) > 1:
            return torch.empty(0)
        joined = parts[0] if len(parts) == 1 else torch.cat(parts)
        return joined if self.made is None else self.made(joined)


@dataclass(frozen=True)
class Fitted:
    """What was filled (ours -> theirs), what of theirs was left out, and what of ours stayed as it was."""

    filled: Mapping[str, list[str]]
    left_out: list[str]
    stayed: list[str]


def fill(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    rules: Iterable[Rule],
    left_out: Sequence[str] = (),
    stays: Sequence[str] = (),
    source: str = "the checkpoint",
) -> Fitted:
    """Gives every parameter and saved buffer of `module` its value from `weights`.

    rules: of several for one tensor, the first whose sources are all there. left_out: patterns (`*`) of names of
    theirs that are known and not wanted. stays: patterns of names of ours that may keep their value if theirs is not
    there (a head that is new). Nothing is changed unless all fits.

    Raises WeightsError: one sentence that lists what is missing, what is not used and which shapes differ.
    """
    rules = list(rules)
    found = {name: _made(name, rules, weights) for name in tensors_of(module)}
    filled = {name: (made, sources) for name, (made, sources) in found.items() if made is not None}
    stayed = [name for name in found if name not in filled]
    missing = [name for name in stayed if not _matches(name, stays)]
    asked = {source for name in missing for source in found[name][1]} | {s for _, made in filled.values() for s in made}
    rest = [name for name in weights if name not in asked]
    mistakes = [
        *_listed("it lacks", [s for name in missing for s in _lacking(name, found[name][1], weights)]),
        *_listed("it holds what the model has no place for:", [n for n in rest if not _matches(n, left_out)]),
        *_listed("", list(_odd_shapes(module, filled, weights))),
    ]
    if mistakes:
        raise WeightsError(f"{source} does not fit the model: {'; '.join(mistakes)}")
    with torch.no_grad():
        for name, tensor in tensors_of(module).items():
            if name in filled:
                tensor.copy_(filled[name][0])
    return Fitted({name: sources for name, (_, sources) in filled.items()}, rest, stayed)


def _made(name: str, rules: list[Rule], weights: Mapping[str, Tensor]) -> tuple[Tensor | None, list[str]]:
    """(the value for our tensor `name`, its sources); without a value, the sources that the first rule asked for."""
    about = [(rule, sources) for rule in rules if (sources := rule.sources(name)) is not None]
    for rule, sources in about:
        if weights.keys() >= set(sources):
            return rule.value([weights[source] for source in sources]), sources
    return None, about[0][1] if about else []


def _lacking(name: str, sources: list[str], weights: Mapping[str, Tensor]) -> list[str]:
    return [source for source in sources if source not in weights] or [f"{name} (ours)"]


def _odd_shapes(
    module: nn.Module, filled: Mapping[str, tuple[Tensor, list[str]]], weights: Mapping[str, Tensor]
) -> Iterator[str]:
    for name, tensor in tensors_of(module).items():
        if name in filled and filled[name][0].shape != tensor.shape:
            sources = filled[name][1]
            theirs = " + ".join(_shape(weights[source]) for source in sources)
            yield f"{sources[0]} is {theirs} where the model has {_shape(tensor)}"


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers by name, each once: the names that tied weights have besides are left out."""
    found, seen = {}, set()
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor
    return found


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"


def _listed(lead: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"{lead} {', '.join(names[:MOST_NAMED])}{more}".strip()]
