"""Published weights of the Nucleotide Transformer (Dalla-Torre et al. 2024), versions 1 and 2, for the detector.

    python train.py experiment=nucleotide_transformer callbacks.start.weights=FOLDER

The folder holds what the authors publish: the weights, config.json, and vocab.txt, one token a line.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor, nn

from zoo.attention.esm_trunk import fill_trunk, require_shape
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.domain.start import StartFrom
from zoo.genomics.kmer_blocks import KmerBlocks, words
from zoo.genomics.model import PromoterDetector


class StartFromNucleotideTransformer(StartFrom):
    """Gives a detector with `KmerBlocks` its k-mer table and backbone; pooling and head stay new."""

    def load(self, module: PromoterDetector, checkpoint: Checkpoint) -> None:
        if not isinstance(module.embedding, KmerBlocks):
            raise WeightsError(
                f"{checkpoint.source} reads k-mers side by side and the model has a "
                f"{type(module.embedding).__name__}: give model=nucleotide_transformer"
            )
        require_shape(module.backbone, checkpoint, "backbone")
        rows = vocabulary_rows(checkpoint.folder / "vocab.txt", module.embedding.k)
        parts = nn.ModuleDict({"embedding": module.embedding, "backbone": module.backbone})
        fill_trunk(parts, checkpoint, rows, table="embedding.table", backbone="backbone")


def vocabulary_rows(file: Path, k: int) -> Int[Tensor, " words"]:
    """Their row of each of our words (`zoo.genomics.kmer_blocks.words`). Raises WeightsError if one is not there."""
    if not file.is_file():
        raise WeightsError(
            f"{file} is missing: it says which row of the weights is which k-mer; download it beside them"
        )
    row = {word.strip(): i for i, word in enumerate(file.read_text(encoding="utf-8").splitlines())}
    if lost := [word for word in words(k) if word not in row]:
        theirs = max((len(word) for word in row if word and set(word) <= set("ACGT")), default=0)
        advice = (
            f"its k-mers have {theirs} bases: give model.embedding.k={theirs}" if theirs != k else "download it again"
        )
        raise WeightsError(f"{file} lacks {lost[0]} and {len(lost) - 1} more of the {k}-mers and letters: {advice}")
    return torch.tensor([row[word] for word in words(k)])
