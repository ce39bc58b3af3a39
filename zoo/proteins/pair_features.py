"""What an alignment says of each pair of its columns, before anything is learned across families.

Coupling maps are in units of their own spread (mean 0, deviation 1 over pairs six columns apart), as families differ in
depth. Axes: C features, L columns.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from rich.console import Console

from zoo.domain.download import cache_dir
from zoo.proteins.alignment import Alignment, subsample
from zoo.proteins.alphabet import GAP
from zoo.proteins.chemistry import COMPOSITION, LIKENESSES, composition, likeness_maps
from zoo.proteins.couplings import contact_scores
from zoo.proteins.family_attention import FamilyMaps, FamilySettings, family_maps, train_family_attention
from zoo.proteins.frequencies import frequencies
from zoo.proteins.meanfield import information_scores, meanfield_couplings
from zoo.proteins.potts import potts_couplings
from zoo.proteins.weights import sequence_weights

COUPLINGS = ("mean field", "mutual information", "family attention", "mean attention", "strongest head", "Potts")
PLAIN = (
    "separation", "6 apart", "12 apart", "24 apart", "both conserved", "one conserved", "gaps", "Meff", "length",
)  # fmt: skip
LIKE = tuple(f"{s} by {t}" for s, t in LIKENESSES)
COLUMNS = tuple(f"{kind} of {name}" for name in COMPOSITION for kind in ("mean", "product"))
FEATURES = COUPLINGS + PLAIN + LIKE + COLUMNS
NEAR = 6  # columns
LONG = 2.0  # minutes; what takes longer is announced
BYTES = 60_000  # for a pair of columns: 0.6 GB at 100, 2.2 at 200
FORMAT = 4  # of the cached maps; raise it where they change


@dataclass(frozen=True, eq=False)
class CouplingMaps:
    """maps: name -> [L, L], unscaled, each with APC. single: frequencies in each column. effective_depth: Meff.

    likeness: what columns look for in each other (`zoo.proteins.chemistry`), by the mean-field couplings.

    attention, gain: the heads of the family attention, and how much each says.
    """

    maps: Mapping[str, Float[np.ndarray, "L L"]]
    single: Float[np.ndarray, "L q"]
    effective_depth: float
    likeness: Float[np.ndarray, "M L L"]
    attention: Float[np.ndarray, "H L L"]
    gain: Float[np.ndarray, " H"]


def coupling_maps(
    alignment: Alignment, settings: FamilySettings | None = None, family: FamilyMaps | None = None
) -> CouplingMaps:
    """All maps of one alignment; seconds to a minute, so they are kept in the cache, by the alignment's content.
    family: of the attention with these settings, where it was trained already."""
    settings = settings or FamilySettings()
    key = hashlib.sha256(alignment.codes.tobytes() + repr((alignment.codes.shape, settings, FORMAT)).encode())
    path = cache_dir() / "couplings" / f"{key.hexdigest()[:32]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            maps = dict(zip(COUPLINGS, kept["maps"].astype(float), strict=True))
            heads = kept["likeness"].astype(float), kept["attention"].astype(float), kept["gain"]
            return CouplingMaps(maps, kept["single"], float(kept["depth"]), *heads)
    if family is None and (minutes := minutes_of(alignment, settings)) > LONG:
        columns, read = alignment.length, min(alignment.depth, settings.most)
        Console(stderr=True).print(
            f"Couplings of {columns:,} columns and {read:,} sequences take about {minutes:.0f} minutes and "
            f"{BYTES * columns**2 / 1e9:.0f} GB once; then they are in the cache.",
            soft_wrap=True,
        )
    made = _made(alignment, settings, family)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial.npz")  # of this call alone: others may be at the same
    stacked = np.stack([made.maps[name] for name in COUPLINGS]).astype(np.float32)
    heads = {"attention": made.attention.astype(np.float16), "gain": made.gain}
    heads["likeness"] = made.likeness.astype(np.float32)
    np.savez_compressed(partial, maps=stacked, single=made.single, depth=made.effective_depth, **heads)
    partial.replace(path)
    return made


def minutes_of(alignment: Alignment, settings: FamilySettings) -> float:
    """About, on one core. Three terms, fitted to 1,000 x 80 (20 s), 4,000 x 111 (105 s) and 200 x 200 (70 s): all
    sequences pass through all couplings, the heads' couplings are made at each step (their number is bounded where an
    alignment is long), and mean field inverts one matrix."""
    columns, read = alignment.length, min(alignment.depth, settings.most)
    return (1.4e-6 * read * columns**2 + 50 * min(1, (columns / 128) ** 2) + 1e-6 * columns**3) / 60


def _made(alignment: Alignment, settings: FamilySettings, family: FamilyMaps | None) -> CouplingMaps:
    weights = sequence_weights(alignment.codes)
    counted = frequencies(alignment.codes, weights)
    family = family or family_maps(train_family_attention(alignment.codes, weights, settings))
    mean_field = meanfield_couplings(counted)
    found = (
        contact_scores(mean_field),
        information_scores(counted),
        family.scores,
        family.mean_attention,
        family.head_scores().max(0),
        _potts_scores(alignment, settings.most),
    )
    maps = dict(zip(COUPLINGS, found, strict=True))
    like = likeness_maps(mean_field)
    return CouplingMaps(maps, counted.single, float(weights.sum()), like, family.attention, family.gain)


def _potts_scores(alignment: Alignment, most: int) -> Float[np.ndarray, "L L"]:
    """Of `most` sequences: more take minutes and change little."""
    codes = subsample(alignment, most).codes
    return contact_scores(potts_couplings(codes, sequence_weights(codes)))


def pair_features(found: CouplingMaps) -> Float[np.ndarray, "C L L"]:
    """All features, float32, in the order of `FEATURES`; every one is symmetric."""
    scaled = [standardised(found.maps[name]) for name in COUPLINGS]
    length = len(found.single)
    place = np.arange(length)
    apart = np.abs(place[:, None] - place[None, :])
    entropy, gaps = conservation(found.single)
    wide = np.ones((length, length))
    plain = (
        np.log1p(apart) / 4,
        apart >= 6,
        apart >= 12,
        apart >= 24,
        (entropy[:, None] + entropy[None, :]) / 2,
        np.abs(entropy[:, None] - entropy[None, :]),
        (gaps[:, None] + gaps[None, :]) / 2,
        wide * np.log10(found.effective_depth / 1000),
        wide * np.log2(length / 80),
    )
    like = [standardised(one) for one in found.likeness]
    columns = []
    for value in composition(found.single).T:
        columns += [(value[:, None] + value[None, :]) / 2, value[:, None] * value[None, :]]
    return np.stack([*scaled, *plain, *like, *columns]).astype(np.float32)


def standardised(score: Float[np.ndarray, "L L"]) -> Float[np.ndarray, "L L"]:
    """Mean 0 and deviation 1 over pairs at least six columns apart; nearer pairs, which are bonded, within +-3."""
    length = len(score)
    apart = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    far = score[apart >= min(NEAR, length - 1)]
    scaled = (score - far.mean()) / (far.std() or 1.0)
    return np.where(apart >= NEAR, scaled, scaled.clip(-3, 3))


def conservation(single: Float[np.ndarray, "L q"]) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    """Entropy of the residues in each column as a share of log 20 (0: conserved), and the share of gaps."""
    gaps = single[:, GAP]
    residues = single[:, :GAP] / np.maximum(single[:, :GAP].sum(1, keepdims=True), 1e-12)
    entropy = -(residues * np.log(np.maximum(residues, 1e-12))).sum(1) / np.log(GAP)
    return entropy, gaps
