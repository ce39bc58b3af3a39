"""Alignments as they come: FASTA, A3M, Stockholm, Clustal, and `.aln` (one sequence a line); plain or gzip.

Insertions (lower case, and the dots beside them) are left out: what stays are the match columns of A3M and of Pfam.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from Bio import AlignIO
from Bio.SeqIO.FastaIO import SimpleFastaParser

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import GAP, encode

BASES = frozenset("ACGTU")
DNA = BASES | frozenset("RYSWKMBDHVN")  # and what stands for one of several
STRUCTURE = re.compile(r"^(HEADER|ATOM  |HETATM|REMARK|CRYST1|data_|TITLE )")
INSERTED = re.compile(r"[a-z.]")


def read_text(path: str | Path) -> str:
    """The text of a file, plain or gzip. Raises InputError where there is none."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is a damaged gzip file: copy it again") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file: give an alignment (FASTA, A3M, Stockholm or .aln)") from error


def read_alignment(path: str | Path) -> Alignment:
    """The alignment in a file. Raises InputError, in one sentence, if it cannot be one of proteins."""
    names, texts = _records(read_text(path), path)
    if len(texts) < 2:
        raise InputError(f"{path} holds {len(texts)} sequence: contacts need an alignment of many (hundreds or more)")
    texts = _match_columns(names, texts, path)
    codes = np.stack([encode(text) for text in texts])
    _check(codes, names, texts, path)
    return Alignment.of(tuple(names), codes, texts[0])


def read_sequences(path: str | Path) -> list[tuple[str, str]]:
    """(name, letters) of each sequence in a file, aligned or not, in capitals; the name is the first word. Raises
    InputError, in one sentence, if it cannot be of proteins."""
    names, texts = _records(read_text(path), path)
    names = [name.split()[0] if name.split() else f"sequence_{i + 1}" for i, name in enumerate(names)]
    texts = [text.upper() for text in texts]
    for name, text in zip(names, texts, strict=True):
        _check(encode(text)[None], [name], [text], path)
    return list(zip(names, texts, strict=True))


def _records(text: str, path: str | Path) -> tuple[list[str], list[str]]:
    text = _from_the_first_sequence(text)
    first = text.partition("\n")[0].rstrip()
    if not first:
        raise InputError(f"{path} is empty: give an alignment")
    if STRUCTURE.match(first):
        raise InputError(f"{path} is a structure, not an alignment: give FASTA, A3M, Stockholm or .aln")
    if first.startswith(">"):
        pairs = [(name, sequence.replace(" ", "")) for name, sequence in SimpleFastaParser(io.StringIO(text))]
    elif first.startswith("# STOCKHOLM") or first.startswith("CLUSTAL"):
        pairs = _by_biopython(text, "stockholm" if first.startswith("#") else "clustal", path)
    else:
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if any(len(words) > 2 for words in lines):
            raise InputError(f"{path} is no alignment: expected FASTA, A3M, Stockholm, or one sequence a line")
        pairs = [(words[0] if len(words) == 2 else f"sequence {i + 1}", words[-1]) for i, words in enumerate(lines)]
    return [name for name, _ in pairs], [sequence for _, sequence in pairs]


def _from_the_first_sequence(text: str) -> str:
    """Without empty lines and comments at the head: ColabFold and MMseqs write `#lengths`, tab, copies above an A3M."""
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        if line.strip() and (not line.startswith("#") or line.startswith("# STOCKHOLM")):
            return "".join(lines[i:])
    return ""


def _by_biopython(text: str, form: str, path: str | Path) -> list[tuple[str, str]]:
    try:
        return [(record.id, str(record.seq)) for record in AlignIO.read(io.StringIO(text), form)]
    except ValueError as error:
        raise InputError(f"{path} is not a whole {form.capitalize()} file: {' '.join(str(error).split())}") from error


def _match_columns(names: list[str], texts: list[str], path: str | Path) -> list[str]:
    """Sequences of one length: the match columns, or all of them where case says nothing."""
    if not any(letter.isupper() for text in texts for letter in text):
        texts = [text.upper() for text in texts]  # a file all in lower case has no insertions to speak of
    has_insertions = any(letter.islower() for text in texts for letter in text)
    matches = [INSERTED.sub("", text) for text in texts] if has_insertions else texts
    for candidate in (matches, [text.upper() for text in texts]):
        if len({len(text) for text in candidate}) == 1:
            return candidate
    lengths = [len(text) for text in matches]
    odd = next(i for i, n in enumerate(lengths) if n != lengths[0])
    raise InputError(
        f"{path} is not aligned: '{names[0][:40]}' has {lengths[0]} columns and '{names[odd][:40]}' has "
        f"{lengths[odd]}; align the sequences first (lower-case insertions are not counted)"
    )


def _check(codes: np.ndarray, names: list[str], texts: list[str], path: str | Path) -> None:
    if codes.shape[1] < 2:
        raise InputError(f"{path} has {codes.shape[1]} match columns: there is nothing to be in contact")
    strange = np.argwhere(codes == 255)
    if len(strange):
        row, column = strange[0]
        raise InputError(
            f"{path}: '{texts[row][column]}' in column {column + 1} of '{names[row][:40]}' is no residue letter"
        )
    if (codes == GAP).all():
        raise InputError(f"{path} holds nothing but gaps")
    letters = Counter("".join(texts).replace("-", "").replace(".", ""))
    if letters.keys() <= DNA and sum(letters[base] for base in BASES) > 0.5 * letters.total():
        raise InputError(f"{path} is of nucleotides ({', '.join(sorted(letters))}): give an alignment of proteins")
