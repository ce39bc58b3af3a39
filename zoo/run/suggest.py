"""Which known name was most likely meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(key: str, known: Iterable[str]) -> str:
    """The nearest of some dotted names: one with the same last part, else one spelled alike, else nothing."""
    ordered = sorted(set(known))
    leaf = key.rpartition(".")[2]
    if alike := [name for name in ordered if name.rpartition(".")[2] == leaf]:
        return get_close_matches(key, alike, n=1, cutoff=0.0)[0]
    if near := get_close_matches(key, ordered, n=1, cutoff=0.7):
        return near[0]
    leaves = {name.rpartition(".")[2]: name for name in ordered}
    near = get_close_matches(leaf, leaves, n=1, cutoff=0.75)
    return leaves[near[0]] if near else ""


def meant(near: str) -> str:
    """The end of a sentence about a name that is not known."""
    return f"; did you mean {near}?" if near else ""
