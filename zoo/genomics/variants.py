"""Variants: what a model makes of the reference allele and of the alternative, in the same surroundings.

SNVs and small indels from VCF with the genome they were called on, or two FASTA files, sequence by sequence.
"""

from __future__ import annotations

import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyfaidx
from jaxtyping import Integer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.domain.errors import InputError, LeftOut
from zoo.genomics.batch import INPUT_BATCH, SequenceSet, collate
from zoo.genomics.intervals import other_name
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import Sequences, from_strings

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

SUFFIXES = (".vcf", ".vcf.gz", ".vcf.bgz")
COLUMNS = ["chromosome", "position", "id", "ref", "alt"]


@dataclass(frozen=True)
class Variant:
    """One alternative allele. position: of the first base of `ref`, 1-based as in VCF."""

    chromosome: str
    position: int
    id: str
    ref: str
    alt: str

    def __str__(self) -> str:
        return f"{self.chromosome}:{self.position} {self.ref}>{self.alt}"


class VariantBatch(NamedTuple):
    """The two alleles' sequences, [B, L] each, and what the table says of them: column -> B entries."""

    reference: Integer[Tensor, "B L"]
    codes: Integer[Tensor, "B L"]  # of the alternative
    described: Mapping[str, list[str]]


class VariantSet(Dataset):
    """Pairs of sequences as examples."""

    def __init__(self, reference: Sequences, alternative: Sequences, described: pd.DataFrame):
        self.reference, self.alternative, self.described = SequenceSet(reference), SequenceSet(alternative), described

    def __len__(self) -> int:
        return len(self.reference)

    def __getitem__(self, i: int):
        return self.reference[i], self.alternative[i], self.described.iloc[i].to_dict()


def collate_variants(examples: list) -> VariantBatch:
    before, after, described = zip(*examples, strict=True)
    columns = {name: [row[name] for row in described] for name in described[0]}
    return VariantBatch(collate(list(before)).codes, collate(list(after)).codes, columns)


def variant_effects(model: PromoterDetector, batch: VariantBatch) -> dict[str, Sequence]:
    """The table's columns: both logits and alternative less reference; over both strands where the model reads both."""
    before, after = model(batch.reference), model(batch.codes)
    scores = {"ref_logit": before, "alt_logit": after, "difference": after - before}
    return {**batch.described, **{name: logit.tolist() for name, logit in scores.items()}}


def is_vcf(path: str | Path) -> bool:
    """By its name."""
    return Path(path).name.lower().endswith(SUFFIXES)


def vcf_loader(path: Path, genome: pyfaidx.Fasta, width: int) -> DataLoader:
    """The variants of a VCF in windows of `width` bases around them. Raises InputError."""
    variants = inside(read_vcf(path), genome, width, str(path))
    table = pd.DataFrame([vars(v) for v in variants], columns=COLUMNS).astype(str)
    return _loader(*allele_windows(variants, genome, width, str(path)), table)


def pair_loader(path: Path, reference: Path) -> DataLoader:
    """Two files of equally many sequences: the alternatives, and what they are compared with. Raises InputError."""
    after, before = read_sequences(path, labelled=False), read_sequences(reference, labelled=False)
    if len(before) != len(after):
        raise InputError(
            f"{path} holds {len(after)} sequences and {reference} {len(before)}: pairs are expected, in the same order"
        )
    if (far := np.flatnonzero(np.abs(before.lengths - after.lengths) > after.lengths // 2)).size:
        i = int(far[0])
        raise InputError(
            f"{after.names[i]} of {path} has {after.lengths[i]} bases and {before.names[i]} of {reference} "
            f"{before.lengths[i]}: pairs of one sequence are expected, changed by little; a genome is for BED and VCF"
        )
    return _loader(before, after, pd.DataFrame({"ref": before.names, "alt": after.names}))


def _loader(before: Sequences, after: Sequences, described: pd.DataFrame) -> DataLoader:
    return DataLoader(VariantSet(before, after, described), batch_size=INPUT_BATCH, collate_fn=collate_variants)


def read_vcf(path: Path) -> tuple[Variant, ...]:
    """The first five columns of a VCF, plain or gzip, each alternative allele by itself.

    Symbolic alleles (<DEL>, *, breakends) are left out with a warning. Raises InputError.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8-sig")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        columns = {"header": None, "usecols": range(5), "names": COLUMNS, "dtype": str, "keep_default_na": False}
        table = pd.read_csv(io.StringIO("\n".join(lines)), sep="\t", quoting=csv.QUOTE_NONE, **columns).fillna("")
    except (OSError, ValueError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{path} cannot be read as VCF ({reason}): expected tab-separated lines of CHROM, POS, ID, REF and ALT"
        ) from error
    variants, left_out = [], []
    for row in table.itertuples(index=False):
        if not row.position.isdecimal() or int(row.position) < 1 or not _is_dna(row.ref):
            raise InputError(
                f"{path}: '{' '.join(row)}' is no variant; expected a position from 1 on and a reference of bases"
            )
        for alt in row.alt.split(","):
            if _is_dna(alt):
                variants.append(Variant(row.chromosome, int(row.position), row.id, row.ref.upper(), alt.upper()))
            else:
                left_out.append(f"{row.chromosome}:{row.position} {row.ref}>{alt}")
    if not variants:
        raise InputError(f"{path} holds no variants with alleles of bases")
    if left_out:
        said = f"{path}: {len(left_out)} symbolic or missing alleles are left out"
        warnings.warn(LeftOut(said, f"{said}: {', '.join(left_out)}"), stacklevel=2)
    return tuple(variants)


def _is_dna(allele: str) -> bool:
    return bool(allele) and set(allele.upper()) <= set("ACGTN")


def inside(
    variants: Sequence[Variant], genome: pyfaidx.Fasta, width: int, source: str = "the variants"
) -> tuple[Variant, ...]:
    """Those whose alleles both lie whole in their windows; the others, at the end of their chromosome, are left out
    with a warning: what the window does not hold would seem to change nothing. Raises InputError if none is left."""
    lengths = {name: len(genome[name]) for name in {v.chromosome for v in variants} if name in genome}
    cut_off = [v for v in variants if v.chromosome in lengths and _is_cut_off(v, lengths[v.chromosome], width)]
    if cut_off and len(cut_off) == len(variants):
        raise InputError(f"{source}: all {len(variants)} variants lie at the ends of their chromosomes")
    if cut_off:
        said = f"{len(cut_off)} of {len(variants)} variants of {source} lie at the end of their chromosome: left out"
        warnings.warn(LeftOut(said, f"{said}: {', '.join(map(str, cut_off))}"), stacklevel=2)
    away = set(cut_off)
    return tuple(v for v in variants if v not in away)


def _is_cut_off(variant: Variant, length: int, width: int) -> bool:
    """Where the chromosome is long enough, the windows are, and the alleles are not too long for them."""
    longest = max(len(variant.ref), len(variant.alt))
    start = _window_start(variant, length, width)
    ends = variant.position - 1 + len(variant.ref) <= length
    return ends and start >= 0 and longest <= width // 2 and variant.position - 1 - start + longest > width


def _window_start(variant: Variant, length: int, width: int) -> int:
    """Negative where the chromosome is too short."""
    lost = max(0, len(variant.ref) - len(variant.alt))  # bases that the alternative takes from further on
    middle = variant.position - 1 + len(variant.ref) // 2 - width // 2
    return min(max(0, middle), length - width - lost)


def allele_windows(
    variants: Sequence[Variant], genome: pyfaidx.Fasta, width: int, source: str = "the variants"
) -> tuple[Sequences, Sequences]:
    """(reference, alternative), `width` bases each, the variant in their middle.

    Both begin at the same base; where the alternative is shorter or longer, its end is further on or earlier. Near a
    chromosome's end the windows move inside (see `inside`). Raises InputError where the reference allele is not what
    the genome has, a chromosome is unknown or an allele fills the window.
    """
    before, after = [], []
    for variant in variants:
        if variant.chromosome not in genome:
            hint = other_name(variant.chromosome, genome)
            raise InputError(f"{source}, {variant}: the genome has no {variant.chromosome!r}: {hint}")
        chromosome, at = genome[variant.chromosome], variant.position - 1
        found = str(chromosome[at : at + len(variant.ref)]).upper()
        if found != variant.ref:
            raise InputError(
                f"{source}, {variant}: the genome has {found[:20] or 'nothing'} there, not {variant.ref[:20]}; give "
                "the genome that the variants were called on"
            )
        if max(len(variant.ref), len(variant.alt)) > width // 2:
            raise InputError(
                f"{source}, {str(variant)[:60]}: alleles up to {width // 2} bases can be scored, half of the {width} "
                "that the model was trained on"
            )
        if (start := _window_start(variant, len(chromosome), width)) < 0:
            raise InputError(
                f"{source}, {variant}: {variant.chromosome} has {len(chromosome)} bases; windows of {width} are wanted"
            )
        longer = str(chromosome[start : start + width + len(variant.ref)])
        cut = at - start
        before.append(longer[:width])
        after.append((longer[:cut] + variant.alt + longer[cut + len(variant.ref) :])[:width])
    names = [str(variant) for variant in variants]
    try:
        return from_strings(before, names), from_strings(after, names)
    except ValueError as error:
        raise InputError(f"{source}, in the genome around it: {error}") from error


def usual_width(sequences: Sequences) -> int:
    """The length that a model trained on these knows best."""
    return int(np.median(sequences.lengths))
