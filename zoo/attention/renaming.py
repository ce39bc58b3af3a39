"""From the names that others gave to weights to ours, by a table that can be read.

    Rule("blocks.{i}.attention.qkv.{p}", "layer.{i}.query.{p}", "layer.{i}.key.{p}", "layer.{i}.value.{p}")

Every tensor of ours must be filled and every one of theirs used, or named as left out on purpose: a checkpoint that
half fits is a wrong model that looks right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from zoo.attention.pretrained import WeightsError

BLANKS = {r"\{i\}": r"(?P<i>\d+)", r"\{p\}": r"(?P<p>weight|bias)"}
MOST_NAMED = 4  # of one kind of mistake


class Rule:
    """`ours` is made of `theirs`, joined along the first axis in this order, and then `made`.

    In names, {i} stands for a number and {p} for weight or bias, the same on both sides.
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
    left_out: Iterable[str] = (),
    stays: Iterable[str] = (),
    source: str = "the checkpoint",
) -> Fitted:
    """Gives every parameter and saved buffer of `module` its value from `weights`.

    rules: of several for one tensor, the first whose sources are all there. left_out: patterns (`*`) of names of
    theirs that are known and not wanted. stays: patterns of names of ours that may keep their value if theirs is not
    there (a head that is new). Nothing is changed unless all fits.

    Raises WeightsError: one sentence that lists what is missing, what is not used and which shapes differ.
    """
    rules, left_out, stays = list(rules), tuple(left_out), tuple(stays)
    missing, odd, filled, values, spoken_of = [], [], {}, {}, set()
    for name, tensor in tensors_of(module).items():
        asked = [found for rule in rules if (found := rule.sources(name)) is not None]
        made = next(((s, r) for r in rules if (s := r.sources(name)) is not None and weights.keys() >= set(s)), None)
        if made is None:
            if not any(fnmatchcase(name, pattern) for pattern in stays):
                missing += [s for s in asked[0] if s not in weights] if asked else [f"{name} (ours)"]
                spoken_of |= set(asked[0] if asked else ())
            continue
        sources, rule = made
        value = _joined([weights[s] for s in sources])
        value = value if rule.made is None or value is None else rule.made(value)
        if value is None or value.shape != tensor.shape:
            shapes = " + ".join(_shape(weights[s]) for s in sources)
            odd.append(f"{sources[0]} is {shapes} where the model has {_shape(tensor)}")
        filled[name], values[name] = sources, value
    used = {s for sources in filled.values() for s in sources}
    rest = [name for name in weights if name not in used | spoken_of]
    unknown = [name for name in rest if not any(fnmatchcase(name, pattern) for pattern in left_out)]
    if mistakes := [*_listed("it lacks", missing), *_listed("it holds what the model has no place for:", unknown),
                    *_listed("", odd)]:  # fmt: skip
        raise WeightsError(f"{source} does not fit the model: {'; '.join(mistakes)}")
    with torch.no_grad():
        for name, tensor in tensors_of(module).items():
            if name in values:
                tensor.copy_(values[name])
    return Fitted(filled, rest, [name for name in tensors_of(module) if name not in filled])


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers by name, each once: the names that tied weights have besides are left out."""
    found, seen = {}, set()
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[name] = tensor
    return found


def _joined(parts: list[Tensor]) -> Tensor | None:
    if len({part.shape[1:] for part in parts}) > 1:
        return None
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"


def _listed(lead: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"{lead} {', '.join(names[:MOST_NAMED])}{more}".strip()]
