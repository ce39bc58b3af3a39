"""What a head does, by a rule: the first line that holds.

broad       entropy is at least nine tenths of what even attention has
no-op       half or more of its attention goes to the first token: it rests there (Clark et al. 2019)
positional  two fifths or more go to the token itself, the one before or the one after
local       it looks less than half as far as even attention does
long-range  it looks a tenth further than even attention does, or more
mixed       none of these
"""

from __future__ import annotations

from collections.abc import Mapping

FIRST, FIXED, BROAD, LOCAL, FAR = 0.5, 0.4, 0.9, 0.5, 1.1
ROLES = ("broad", "no-op", "positional", "local", "long-range", "mixed")


def role(head: Mapping[str, float]) -> str:
    """head: `first`, `self`, `previous`, `next` (shares of the attention), `entropy` and `distance` (of even
    attention's)."""
    if head["entropy"] >= BROAD:
        return "broad"
    if head["first"] >= FIRST:
        return "no-op"
    if max(head["self"], head["previous"], head["next"]) >= FIXED:
        return "positional"
    if head["distance"] < LOCAL:
        return "local"
    return "long-range" if head["distance"] >= FAR else "mixed"
