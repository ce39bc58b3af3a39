"""A person's own file for a trained model: sequences, places of a genome, variants, or pairs of sequences."""

from __future__ import annotations

from pathlib import Path

from torch.utils.data import DataLoader

from zoo.domain.errors import InputError
from zoo.genomics.batch import INPUT_BATCH, LONGEST, SequenceSet, collate
from zoo.genomics.data import PromoterData
from zoo.genomics.intervals import cut, is_bed, open_genome, read_bed
from zoo.genomics.long_sequences import windows
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import Sequences
from zoo.genomics.variants import is_vcf, pair_loader, usual_width, vcf_loader

WINDOW = 1000  # bases of what a sequence beyond LONGEST is cut into


def input_loader(path: str | Path, labelled: bool = False) -> DataLoader:
    """Sequences, in order; those beyond `LONGEST` as windows of 1,000 bases, unless they have labels, which speak of
    the whole. Raises InputError if the file cannot be used."""
    for known, what in ((is_bed, "BED names places"), (is_vcf, "VCF names changes")):
        if known(path):
            raise InputError(
                f"{path}: {what} of a genome and has no labels; give a table with columns sequence and label"
                if labelled
                else f"{path}: {what} of a genome; give that too, with --genome"
            )
    sequences = read_sequences(path, labelled=True if labelled else None)
    return _loader(sequences if sequences.labels is not None else windows(sequences, LONGEST, WINDOW))


def referring_loader(path: Path, reference: Path, data: PromoterData, width: int | None = None) -> DataLoader:
    """VCF or BED with a genome, in windows as long as the model's training sequences; or the alternatives (path) and
    references of pairs of sequences. A model that knows places (a start site at base 249) wants pairs. width: that
    length; not known, the data are read for it."""
    if not is_vcf(path) and not is_bed(path):
        return pair_loader(path, reference)
    genome = open_genome(reference)
    if width is None:
        width = usual_width(data.sequences("train"))
    return vcf_loader(path, genome, width) if is_vcf(path) else _loader(cut(genome, read_bed(path), width, str(path)))


def _loader(sequences: Sequences) -> DataLoader:
    return DataLoader(SequenceSet(sequences), batch_size=INPUT_BATCH, collate_fn=collate)
