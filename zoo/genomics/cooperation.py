"""Which motifs act together, how they lie to each other, and at what spacing.

    candidates   motifs whose sites share sequences within 50 bases                        (spacing)
    together     more often in positives than in negatives? (Fisher)
    placed       the orientation and spacing at which sites stand more often than if each motif kept its own places in
                 the sequence but knew nothing of the other (other sequences' sites are put beside it; Poisson)
    at spacing   more often there in positives than in negatives? (Fisher)
    attended     attention x gradient that runs between the two sites                       (co_attention)
    interact     the model's logit is more than the sum of what each says                   (epistasis)

A pair is said to cooperate when the model's interaction at its sites is positive over sequences (Wilcoxon
signed-rank, Benjamini-Hochberg q < 0.05) and at least `MIN_EPISTASIS` of the logit. A model may use an arrangement
and still add up its parts: a pair keeps a spacing when it stands there more often in positives than in negatives and
more often than if each were alone. Where the second fails because each keeps a place of its own in the sequence, those
places are the arrangement, and nothing says that one motif knows of the other: the pair stands there by its places.
Q-values are Benjamini-Hochberg's over the pairs, of p-values corrected for all orientations and spacings.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import false_discovery_control, poisson, wilcoxon

from zoo.genomics.co_attention import co_attention
from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.epistasis import epistasis
from zoo.genomics.motifs import Motif, Sites
from zoo.genomics.spacing import MAX_SPACING, WAYS, centre, histogram, lies, near, one_way, site_pairs

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

MIN_PAIRS = 8  # sequences that hold both; fewer say nothing
MIN_EPISTASIS = 0.5  # of the logit; pairs that merely stand together read up to .33 in the strict planted library
MOST = 100  # pairs of sites of each two motifs that are destroyed, drawn at random from the positives
REACH = 2  # bases on either side that count as the same spacing
FDR = 0.05
BY_PLACES = "places"  # in place of yes and no


@dataclass(frozen=True, eq=False)
class Cooperation:
    """table: one row for each pair of motifs, the strongest interaction first. expected: how many pairs of sites of
    positives would stand at each spacing, in the table's orientation, if neither motif knew of the other. pairs: every
    pair of sites behind it (`zoo.genomics.spacing.site_pairs`, with columns `positive`, `co_attention`,
    `raw_attention` and `epistasis`, which is NaN where it was not measured)."""

    names: tuple[str, ...]
    table: pd.DataFrame
    pairs: pd.DataFrame
    expected: dict[tuple[str, str], np.ndarray]

    @property
    def partners(self) -> set[str]:
        """The motifs that cooperate with any, or keep a spacing to it."""
        return {name for some in (self.cooperating, self.spaced) if len(some) for name in (*some.a, *some.b)}

    @property
    def cooperating(self) -> pd.DataFrame:
        return self.table[self.table.cooperates == "yes"] if len(self.table) else self.table

    @property
    def spaced(self) -> pd.DataFrame:
        """Those that keep a spacing, the most frequent first."""
        return self._kept("yes")

    @property
    def placed(self) -> pd.DataFrame:
        """Those that stand at a spacing because each motif keeps its own place, the most frequent first."""
        return self._kept(BY_PLACES)

    def _kept(self, how: str) -> pd.DataFrame:
        if not len(self.table):
            return self.table
        return self.table[self.table["keeps a spacing"] == how].sort_values("at spacing", ascending=False)


def cooperation(
    model: PromoterDetector,
    codes: np.ndarray,
    sites: Sites,
    labels: np.ndarray,
    motifs: Sequence[Motif],
    anchored: Collection[str] = (),
    seed: int = 0,
) -> Cooperation:
    """codes: [N, L] of both classes; sites: the motifs' sites in them; labels: [N], True for a positive; anchored: the
    motifs that keep a place of their own in the sequence."""
    names = [motif.name for motif in motifs]
    palindromes = {motif.name for motif in motifs if motif.palindromic}
    pairs = site_pairs(sites, names, palindromes)
    if not len(pairs):
        return Cooperation(tuple(names), pd.DataFrame(), pairs, {})
    pairs["positive"] = labels[pairs.sequence].astype(bool)
    pairs["co_attention"], pairs["raw_attention"] = co_attention(model, codes, sites, pairs)
    pairs["epistasis"] = np.nan
    destroyed = _drawn(pairs, seed)
    pairs.loc[destroyed, "epistasis"] = epistasis(model, codes, sites, pairs.loc[destroyed], seed)
    n_pos, n_neg = int(labels.sum()), int((~labels.astype(bool)).sum())
    places = _places(sites, names)
    rows: list[dict] = []
    expected: dict[tuple[str, str], np.ndarray] = {}
    for (a, b), group in pairs.groupby(["a", "b"], sort=True):
        if group[group.positive].sequence.nunique() < MIN_PAIRS:
            continue
        own = (places[a], places[b])
        alike = one_way(a == b, names[a] in palindromes, names[b] in palindromes)
        placed, expected[names[a], names[b]] = _placed(group, own, labels, alike)
        rows.append({"a": names[a], "b": names[b], **_together(group, n_pos, n_neg), **placed})
        rows[-1] |= _interaction(group[group.positive], placed)
    table = pd.DataFrame(rows)
    if len(table):
        for test in ("together", "at spacing", "placed", "epistasis"):
            table[f"{test} p"] = false_discovery_control(table[f"{test} p"])
            table = table.rename(columns={f"{test} p": f"{test} q"})
        strong = (table["epistasis q"] < FDR) & (table["epistasis"] >= MIN_EPISTASIS)
        both_anchored = table.a.isin(anchored) & table.b.isin(anchored)
        there, placed = table["at spacing q"] < FDR, table["placed q"] < FDR
        table.insert(2, "cooperates", np.where(strong, "yes", "no"))
        kept = np.select([there & placed, there & both_anchored], ["yes", BY_PLACES], "no")
        table.insert(3, "keeps a spacing", kept)
        table = table.sort_values(["cooperates", "epistasis"], ascending=False, ignore_index=True)
    return Cooperation(tuple(names), table, pairs, expected)


def _drawn(pairs: pd.DataFrame, seed: int) -> pd.Index:
    """At most `MOST` pairs of sites in positives for each two motifs, one of a sequence."""
    mixed = pairs[pairs.positive].sample(frac=1.0, random_state=seed).groupby(["a", "b", "sequence"]).head(1)
    return mixed.groupby(["a", "b"]).head(MOST).index.sort_values()


def _places(sites: Sites, names: Sequence[str]) -> list[np.ndarray]:
    """(sequence, start, end, minus) of each motif's sites."""
    motif = np.array(sites.motif, dtype=object)
    minus = np.array([strand == "-" for strand in sites.strand], dtype=int)
    columns = np.stack([sites.sequence, sites.start, sites.end, minus], axis=1) if len(sites) else np.zeros((0, 4), int)
    return [columns[motif == name] for name in names]


def _together(group: pd.DataFrame, n_pos: int, n_neg: int) -> dict[str, float]:
    held = [group[group.positive == label].sequence.nunique() for label in (True, False)]
    return {
        "in positives": held[0] / max(1, n_pos),
        "in negatives": held[1] / max(1, n_neg),
        "together p": float(fisher_greater(held[0], n_pos, held[1], n_neg)),
    }


def _placed(
    group: pd.DataFrame, own: tuple[np.ndarray, np.ndarray], labels: np.ndarray, alike: np.ndarray
) -> tuple[dict[str, object], Float[np.ndarray, " spacings"]]:
    """The way and the spacing around which most pairs of positives stand, beyond what the motifs' own places give,
    and how many these give at each spacing of that way."""
    positive = group[group.positive]
    in_positives = [sites[labels[sites[:, 0]].astype(bool)] for sites in own]
    expected = expected_spacings(*in_positives, alike)
    observed = np.stack([histogram(positive.spacing[positive.way == way]) for way in range(len(WAYS))])
    expected *= observed.sum() / max(expected.sum(), 1e-9)
    best: tuple[float, int, int] | None = None
    for way in range(len(WAYS)):
        if observed[way].sum() == 0:
            continue
        spacing = centre(observed[way], REACH)
        chance = near(expected[way], REACH)[spacing]
        p = float(poisson.sf(near(observed[way], REACH)[spacing] - 1, max(chance, 1e-9)))
        if best is None or p < best[0]:
            best = (p, way, spacing)
    p, way, spacing = best
    here = (group.way == way) & ((group.spacing - spacing).abs() <= REACH)
    held = [group[here & (group.positive == label)].sequence.nunique() for label in (True, False)]
    counts = int(labels.sum()), int((~labels.astype(bool)).sum())
    found = {
        "orientation": WAYS[way],
        "spacing": spacing,
        "at spacing": held[0] / max(1, counts[0]),
        "at spacing, negatives": held[1] / max(1, counts[1]),
        "at spacing p": min(1.0, float(fisher_greater(held[0], counts[0], held[1], counts[1])) * observed.size),
        "placed p": min(1.0, p * observed.size),
    }
    return found, expected[way]


def expected_spacings(a: np.ndarray, b: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """[ways, spacings]: how often any two sites, of whatever sequences, would lie so, were their sequences one.

    a, b: the motifs' sites as rows (sequence, start, end, minus). alike: what each way is counted as
    (`zoo.genomics.spacing.one_way`).
    """
    if not len(a) or not len(b):
        return np.zeros((len(WAYS), MAX_SPACING + 1))
    length = int(max(a[:, 2].max(), b[:, 2].max())) + 1
    found = np.zeros((len(WAYS), MAX_SPACING + 1))
    for a_minus in (0, 1):
        for b_minus in (0, 1):
            x, y = a[a[:, 3] == a_minus], b[b[:, 3] == b_minus]
            for a_left, (left, right) in ((True, (x, y)), (False, (y, x))):
                ends = np.bincount(left[:, 2], minlength=length + MAX_SPACING + 1)
                starts = np.bincount(right[:, 1], minlength=length + MAX_SPACING + 1)
                way = int(lies(np.array([a_left]), np.array([bool(a_minus)]), np.array([bool(b_minus)]))[0])
                found[alike[way]] += [ends[:length] @ starts[gap : gap + length] for gap in range(MAX_SPACING + 1)]
    return found


def _interaction(positive: pd.DataFrame, placed: dict[str, object]) -> dict[str, float]:
    """Of positives alone: a sequence counts once."""
    here = (positive.way == WAYS.index(placed["orientation"])) & ((positive.spacing - placed["spacing"]).abs() <= REACH)
    each = positive.groupby("sequence").epistasis.mean().dropna().to_numpy()
    flat = np.allclose(each, 0)
    return {
        "co-attention": float(positive.co_attention.mean()),
        "raw attention": float(positive.raw_attention.mean()),
        "epistasis": float(each.mean()),
        "epistasis at spacing": float(positive.epistasis[here].mean()) if here.any() else float("nan"),
        "epistasis elsewhere": float(positive.epistasis[~here].mean()) if (~here).any() else float("nan"),
        "epistasis p": 1.0 if flat or len(each) < MIN_PAIRS else float(wilcoxon(each, alternative="greater").pvalue),
    }
