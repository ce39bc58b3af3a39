"""ESM protein language models (Rives et al. 2021; Lin et al. 2023): a sequence in; logits, states and contacts out.

    model = EsmProteins.load("esm2_t6_8M_UR50D")      a downloaded folder, or facebook/esm2_t6_8M_UR50D from the hub
    (contacts,) = model.contacts(["MKTVRQERLKSIVRILERSKEPVSGAQLAEELSVSRQVIVQDIAYLRSLGYNIVATPRGYVLAGG"])

To fine-tune one, train `model.language_model`; for features that stay as they are, take `model.states`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from zoo.attention.esm import load_masked_lm
from zoo.attention.masked_lm import MaskedLM
from zoo.attention.positions import Learned, Normed
from zoo.attention.pretrained import Checkpoint, WeightsError
from zoo.domain.errors import InputError
from zoo.proteins.esm_contacts import ContactRegression, contact_maps

BATCH = 8  # sequences at once
CLASS, PADDING, END, UNKNOWN = "<cls>", "<pad>", "<eos>", "<unk>"


@dataclass(frozen=True)
class EsmAlphabet:
    """tokens: what each number stands for."""

    tokens: tuple[str, ...] = (
        CLASS, PADDING, END, UNKNOWN, *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>",
    )  # fmt: skip

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> EsmAlphabet:
        """Of `vocab.txt` beside the weights; ESM-2's own where there is none and the number of tokens is ESM-2's."""
        file = checkpoint.folder / "vocab.txt"
        if file.is_file():
            found = cls(tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines()))
            if lost := {CLASS, PADDING, END, UNKNOWN, *"LAGVSERTIDPKQNFYMHWC"} - set(found.tokens):
                raise WeightsError(f"{file} is no alphabet of proteins: it lacks {', '.join(sorted(lost)[:4])}")
            return found
        if checkpoint.config.get("vocab_size") != len(cls().tokens):
            raise WeightsError(f"{file} is missing, and this is not ESM-2's alphabet: download it beside the weights")
        return cls()

    def numbers(self, sequences: Sequence[str]) -> Int[Tensor, "B n"]:
        """Class token, residues, end token, padding. A letter that is no token, such as J, becomes the unknown one.

        Raises InputError where a sequence is empty or holds anything but letters, gaps and dots.
        """
        number = {token: i for i, token in enumerate(self.tokens)}
        if not sequences:
            raise InputError("there is no sequence to read")
        rows = []
        for i, sequence in enumerate(sequences, start=1):
            wrong = next((c for c in sequence if not (c.isascii() and c.isalpha()) and c not in ".-"), None)
            if wrong is not None or not sequence:
                held = "is empty" if wrong is None else f"holds {wrong!r}"
                raise InputError(f"sequence {i} {held}: expected the one-letter codes of residues")
            inner = [number.get(letter, number[UNKNOWN]) for letter in sequence.upper()]
            rows.append([number[CLASS], *inner, number[END]])
        longest = max(map(len, rows))
        return torch.tensor([row + [number[PADDING]] * (longest - len(row)) for row in rows])


class EsmProteins(nn.Module):
    """A language model, the alphabet it reads, and the regression that turns its attention into contacts, if any.

    All methods take sequences of one-letter codes and give one tensor for each, on the CPU, without gradients.
    """

    def __init__(self, language_model: MaskedLM, alphabet: EsmAlphabet, regression: ContactRegression | None = None):
        super().__init__()
        self.language_model, self.alphabet, self.regression = language_model, alphabet, regression

    @classmethod
    def load(cls, source: str | Path) -> EsmProteins:
        """Of a file, a folder or a name on the hub. Raises InputError, in one sentence, if it cannot be used."""
        try:
            checkpoint = Checkpoint.open(source)
            model = load_masked_lm(checkpoint)
            blocks = model.backbone.blocks
            regression = ContactRegression.of(checkpoint, len(blocks), blocks[0].attention.num_heads)
            return cls(model, EsmAlphabet.of(checkpoint), regression).eval()
        except WeightsError as error:
            raise InputError(str(error)) from error

    @torch.no_grad()
    def logits(self, sequences: Sequence[str]) -> list[Float[Tensor, "L V"]]:
        """For each residue, one number for each token of the alphabet."""
        return [row for ids in self._batches(sequences) for row in self._residues(ids, self.language_model(ids))]

    @torch.no_grad()
    def states(self, sequences: Sequence[str]) -> list[Float[Tensor, "L D"]]:
        """The last layer's tokens of the residues: features for a model of one's own."""
        encode = self.language_model.encode
        return [row for ids in self._batches(sequences) for row in self._residues(ids, encode(ids).tokens)]

    @torch.no_grad()
    def contacts(self, sequences: Sequence[str]) -> list[Float[Tensor, "L L"]]:
        """The probability of each pair of residues to touch. Raises InputError if there is no regression yet."""
        if self.regression is None:
            raise InputError(
                "this checkpoint has no contact regression: fit one with zoo.proteins.esm_regression.fit_contacts"
            )
        found = []
        for ids in self._batches(sequences):
            maps = contact_maps(self.language_model, ids, self.residues(ids), self.regression)
            found += [m[1 : n + 1, 1 : n + 1].cpu() for m, n in zip(maps, self._lengths(ids), strict=True)]
        return found

    @property
    def longest(self) -> int | None:
        """How many residues it can read, where positions are a table (ESM-1b); None where they are rotary."""
        positions = self.language_model.backbone.positions
        table = positions.inner if isinstance(positions, Normed) else positions
        return table.table.shape[1] - 2 if isinstance(table, Learned) else None

    def residues(self, ids: Int[Tensor, "B n"]) -> Tensor:
        """Which tokens are residues: all but the first, the last and what follows it. [B, n]"""
        place = torch.arange(ids.shape[1], device=ids.device)
        return (place > 0) & (place <= torch.tensor(self._lengths(ids), device=ids.device)[:, None])

    def _lengths(self, ids: Int[Tensor, "B n"]) -> list[int]:
        return ((ids != self.language_model.pad_id).sum(1) - 2).tolist()

    def _residues(self, ids: Int[Tensor, "B n"], of_tokens: Float[Tensor, "B n X"]) -> Iterator[Float[Tensor, "L X"]]:
        return (row[1 : n + 1].cpu() for row, n in zip(of_tokens, self._lengths(ids), strict=True))

    def _batches(self, sequences: Sequence[str]) -> Iterator[Int[Tensor, "B n"]]:
        device = self.language_model.table.weight.device
        if self.longest is not None:
            for i, sequence in enumerate(sequences, start=1):
                if len(sequence) > self.longest:
                    raise InputError(
                        f"sequence {i} has {len(sequence):,} residues, the model has positions for {self.longest:,}: "
                        "cut it into windows, as zoo.proteins.esm_long.tiled_contacts does"
                    )
        for start in range(0, max(1, len(sequences)), BATCH):
            yield self.alphabet.numbers(sequences[start : start + BATCH]).to(device)
