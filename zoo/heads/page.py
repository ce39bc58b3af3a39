"""One HTML page in which a person walks through the heads of a model and the tokens that they read.

The page needs nothing else: it loads nothing from anywhere (its own policy forbids it) and runs one script, ours.
What the data bring (titles, tokens, roles) is escaped, so a page made from a stranger's file is safe to open.

Axes:  L layers,  H heads of a layer,  n tokens,  k strongest keys of a query.
"""

from __future__ import annotations

import base64
import hashlib
import math
import string
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8, UInt16
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

NAMES = ("layer", "head", "role")  # every other column of the table is shown as it comes
NOTHING = "–"


@dataclass(frozen=True)
class Example:
    """What every head looks at in one input.

    keys:    the k strongest keys of each query, the strongest first.
    weights: their attention x 255, rounded. 0 means no key: that is how short rows are filled up.
    """

    name: str
    tokens: tuple[str, ...]
    keys: UInt16[np.ndarray, "L H n k"]
    weights: UInt8[np.ndarray, "L H n k"]


def render_page(title: str, heads: pd.DataFrame, examples: Sequence[Example]) -> str:
    """The whole page.

    heads: one row per head with `layer`, `head` (0, 1, ...) and `role`; every layer has the same heads. Any numeric
           column beside these can colour the overview; layers stand in the order of their first row.
    """
    heads = _in_order(heads)
    layers = list(dict.fromkeys(heads["layer"].astype(str)))
    per_layer = len(heads) // len(layers)
    for example in examples:
        _check(example, len(layers), per_layer)

    roles = ["" if pd.isna(role) else str(role).strip() for role in heads["role"]]
    measured = [name for name in heads.columns if name not in NAMES]
    texts = {name: cell_texts(heads[name]) for name in measured}
    numeric = [name for name in measured if pd.api.types.is_numeric_dtype(heads[name]) and heads[name].dtype != bool]
    facts = {
        "layers": layers,
        "heads": per_layer,
        "roles": roles,
        "letters": role_letters(roles),
        "columns": [{"name": name, "values": [_finite(value) for value in heads[name]]} for name in numeric],
        "examples": [
            {"name": example.name, "tokens": example.tokens, "k": example.keys.shape[-1]} for example in examples
        ],
    }
    script, style = (files("zoo.heads").joinpath(name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    templates = Environment(
        loader=PackageLoader("zoo.heads", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("page.html.j2").render(
        title=title,
        facts=facts,
        rows=list(zip(heads["layer"].astype(str), heads["head"], roles, *texts.values(), strict=True)),
        columns=[*NAMES, *measured],
        numeric={"head", *numeric},
        packed=[(pack(example.keys, "<u2"), pack(example.weights, "u1")) for example in examples],
        script=Markup(script),
        style=Markup(style),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def pack(values: np.ndarray, dtype: str) -> str:
    """Base64 of zlib: the browser's DecompressionStream("deflate") undoes it."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values, dtype).tobytes())).decode()


def role_letters(roles: Iterable[str]) -> dict[str, str]:
    """One letter for each role, the commonest first: its own first letter, or the next that is free. "" has none.

    >>> role_letters(["previous", "previous", "position", "self"])
    {'previous': 'P', 'position': 'O', 'self': 'S'}
    """
    letters: dict[str, str] = {}
    for role, _ in Counter(role for role in roles if role).most_common():
        wanted = [sign.upper()[0] for sign in role if sign.isalnum()] + [*string.ascii_uppercase, *string.digits]
        letters[role] = next((letter for letter in wanted if letter not in letters.values()), "?")
    return letters


def _in_order(heads: pd.DataFrame) -> pd.DataFrame:
    """The table with the heads of a layer together, 0, 1, ...; it must hold each of them once."""
    if missing := [name for name in NAMES if name not in heads.columns]:
        raise ValueError(f"The table of heads lacks {', '.join(missing)}; it has {', '.join(map(str, heads.columns))}.")
    if heads.empty:
        raise ValueError("The table of heads is empty; give one row per head.")
    heads = heads.rename(columns=str)
    place = {layer: index for index, layer in enumerate(dict.fromkeys(heads["layer"]))}
    heads = heads.assign(head=heads["head"].astype(int))
    heads = heads.iloc[np.lexsort([heads["head"], heads["layer"].map(place)])].reset_index(drop=True)
    per_layer = math.ceil(len(heads) / len(place))
    for layer, rows in heads.groupby("layer", sort=False)["head"]:
        if list(rows) != list(range(per_layer)):
            raise ValueError(
                f"Layer {layer!r} has heads {sorted(rows)}; expected 0 to {per_layer - 1}, each once, in every layer."
            )
    return heads


def _check(example: Example, num_layers: int, num_heads: int) -> None:
    """All that is wrong with an example, at once."""
    keys, weights, n = example.keys, example.weights, len(example.tokens)
    wrong = []
    if keys.dtype != np.uint16 or weights.dtype != np.uint8:
        wrong.append(f"keys are {keys.dtype} and weights {weights.dtype}, expected uint16 and uint8")
    if keys.shape != weights.shape or keys.ndim != 4 or keys.shape[:3] != (num_layers, num_heads, n):
        wrong.append(
            f"keys have shape {keys.shape} and weights {weights.shape}, expected [{num_layers}, {num_heads}, {n}, k] "
            f"for {num_layers} layers of {num_heads} heads and {n} tokens"
        )
    elif not keys.size:
        wrong.append("it has no tokens or no keys")
    else:
        if (last := int(keys[weights > 0].max(initial=0))) >= n:
            wrong.append(f"a key stands at position {last} of {n} tokens, counted from 0")
        if (weights[..., 1:] > weights[..., :-1]).any():
            wrong.append("weights must fall along each row, the strongest key first")
    if wrong:
        raise ValueError(f"Example {example.name!r} cannot be shown: {'; '.join(wrong)}.")


def _finite(value: Any) -> float | None:
    """A number for JSON, which knows neither NaN nor infinity."""
    return float(value) if not pd.isna(value) and math.isfinite(value) else None


def cell_texts(column: pd.Series) -> list[str]:
    """The cells of a column: its numbers with as many decimals as give the largest three digits, at least one."""
    values = [value.item() if hasattr(value, "item") else value for value in column]  # NumPy scalars
    sizes = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value)]
    digits = math.floor(math.log10(max(sizes, default=0) or 1))
    return [_text(value, places=min(max(1, 2 - digits), 3)) for value in values]


def _text(value: Any, places: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if pd.isna(value):
        return NOTHING
    if isinstance(value, Integral):
        text = f"{int(value):,}"
    elif isinstance(value, Real):
        tiny_or_huge = value != 0 and not 0.5 * 10**-places <= abs(value) < 1e7
        text = f"{value:.1e}" if tiny_or_huge else f"{value:,.{places}f}"
    else:
        return str(value)
    return "−" + text[1:] if text.startswith("-") else text
