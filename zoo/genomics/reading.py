"""Sequence files, told apart by their content: FASTA, one sequence a line, CSV / TSV; plain or gzip."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from Bio.SeqIO.FastaIO import SimpleFastaParser

from zoo.domain.errors import InputError
from zoo.genomics.sequences import CODE_OF_BYTE, ILLEGAL, UNKNOWN, Sequences, from_strings

PROTEIN_ONLY = frozenset("EFILPQ")  # amino acids that no IUPAC nucleotide code uses
LABEL_NAMES = frozenset({"labels", "target", "targets", "class", "classes", "y", "bound", "is_positive", "positive"})
BINARY = ({"0", "1"}, {"0.0", "1.0"})
FORMATS = "FASTA, one sequence a line, or CSV/TSV with a 'sequence' column"


def read_sequences(path: str | Path, labelled: bool | None = None) -> Sequences:
    """Reads DNA (or RNA: U becomes T) from FASTA, one sequence a line, or CSV/TSV, plain or gzip.

    Letters of either case (`Sequences.lowercase` remembers which); IUPAC ambiguities become N. A table needs a header
    with `sequence`, and may have `label` (0 or 1) and `name`, in any case; its other columns are ignored. FASTA names
    are the first word of each header or, where that repeats, the whole header with underscores for blanks.

    labelled: True demands labels of both classes, False ignores labels, None takes them where there are any.

    Raises InputError, one sentence naming the file and, where it applies, the line or the record.
    """
    path = Path(path)
    text = _text(path)
    start = text.lstrip()
    if not start:
        raise InputError(f"{path} is empty; expected {FORMATS}.")
    if start.startswith(">"):
        names, texts, labels, place = _fasta(start)
    elif _is_table(path, start):
        names, texts, labels, place = _table(path, text)
    else:
        names, texts, labels, place = _lines(text)
    if not texts:
        raise InputError(f"{path} holds no sequences; expected {FORMATS}.")
    _check_letters(path, texts, place)
    if labelled is False:
        labels = None
    if labelled is True and labels is None:
        raise InputError(f"{path} carries no labels; expected a CSV or TSV with the columns 'sequence' and 'label'.")
    if labelled is True and len(set(labels)) == 1:
        raise InputError(f"{path} holds only sequences of class {labels[0]:g}; both classes, 0 and 1, are needed.")
    try:
        found = from_strings(texts, names, labels)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    if (blank := np.flatnonzero((found.codes >= UNKNOWN).all(axis=1))).size:
        warnings.warn(
            f"{path}: {blank.size:,} of {len(found):,} sequences hold no known base (the first is "
            f"{found.names[blank[0]]}): what is said of them is the model's bias alone",
            stacklevel=2,
        )
    return found


Parsed = tuple[list[str], list[str], list[float] | None, Callable[[int], str]]  # names, texts, labels, place of i


def _text(path: Path) -> str:
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file: {FORMATS}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{path} is a broken gzip file (truncated or damaged): copy or download it again."
            ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not a text file (byte {error.start:,} cannot be decoded as UTF-8); expected {FORMATS}."
        ) from error


def _named_as_table(path: Path) -> bool:
    return Path(path.name.removesuffix(".gz")).suffix.lower() in {".csv", ".tsv"}


def unlabelled_table(path: str | Path) -> tuple[str, ...] | None:
    """The columns of a table without `label` that hold labels all the same, by their values (0 and 1, both) or by their
    name and two values; None for what is no table, or has its labels."""
    text = _text(path := Path(path))
    if not _is_table(path, text.lstrip()):
        return None
    (_, header), *rows = _rows(path, text)
    names = [cell.strip().lower() for cell in header]
    if "label" in names:
        return None
    values = [{row[i].strip() for _, row in rows if i < len(row)} for i in range(len(names))]
    pairs = zip(header, names, values, strict=True)
    return tuple(
        cell.strip() for cell, name, held in pairs if len(held) == 2 and (held in BINARY or name in LABEL_NAMES)
    )


def _is_table(path: Path, start: str) -> bool:
    first = start.splitlines()[0] if start else ""
    if start.startswith(">"):
        return False
    return "," in first or "\t" in first or first.strip().lower() == "sequence" or _named_as_table(path)


def _fasta(text: str) -> Parsed:
    records = list(SimpleFastaParser(io.StringIO(text)))
    titles = ["_".join(title.split()) or f"sequence_{i + 1}" for i, (title, _) in enumerate(records)]
    words = [(title.split() or [whole])[0] for (title, _), whole in zip(records, titles, strict=True)]
    names = words if len(set(words)) == len(words) else titles
    texts = ["".join(sequence.split()) for _, sequence in records]
    return names, texts, None, lambda i: f"record {i + 1} ('{names[i][:40]}')"


def _lines(text: str) -> Parsed:
    numbered = [(i + 1, line.strip()) for i, line in enumerate(text.splitlines()) if line.strip()]
    names = [f"sequence_{i + 1}" for i in range(len(numbered))]
    return names, [line for _, line in numbered], None, lambda i: f"line {numbered[i][0]}"


def _rows(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every row that is not blank, the header first."""
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # the default breaks sequences beyond 131 kb
    header_line = text.lstrip().splitlines()[0]
    reader = csv.reader(io.StringIO(text), delimiter="\t" if "\t" in header_line else ",")
    rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError(f"{path} is a table of empty cells; expected a header with 'sequence', and sequences.")
    return rows


def _table(path: Path, text: str) -> Parsed:
    rows = _rows(path, text)
    header = [cell.strip().lower() for cell in rows[0][1]]
    if "sequence" not in header:
        given = ", ".join(f"'{cell.strip()[:30]}'" for cell in rows[0][1][:6])
        raise InputError(
            f"{path} has no column 'sequence': line {rows[0][0]}, its header, reads {given}; expected a header with "
            "'sequence' and, for labelled data, 'label'."
        )
    column = {name: header.index(name) for name in ("sequence", "label", "name") if name in header}
    for number, row in rows[1:]:
        if len(row) <= max(column.values()):
            raise InputError(f"{path}, line {number}: {len(row)} columns where the header has {len(header)}.")
    numbers = [number for number, _ in rows[1:]]
    cells = [[row[i].strip() for _, row in rows[1:]] for i in column.values()]
    columns = dict(zip(column, cells, strict=True))
    names = [name or f"sequence_{i + 1}" for i, name in enumerate(columns.get("name", [""] * len(numbers)))]
    labels = (
        [_label(path, *pair) for pair in zip(numbers, columns["label"], strict=True)] if "label" in column else None
    )
    return names, columns["sequence"], labels, lambda i: f"line {numbers[i]}"


def _label(path: Path, number: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if value not in (0.0, 1.0):
        raise InputError(f"{path}, line {number}: the label is '{cell}'; expected 0 or 1.")
    return value


def _check_letters(path: Path, texts: list[str], place: Callable[[int], str]) -> None:
    for i, text in enumerate(texts):
        if not text:
            raise InputError(f"{path}, {place(i)}: the sequence is empty.")
        codes = CODE_OF_BYTE[np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)]
        if not (codes == ILLEGAL).any():
            continue
        at = int((codes == ILLEGAL).argmax())
        if PROTEIN_ONLY & set(text.upper()) and text.replace("*", "").isalpha():
            raise InputError(
                f"{path}, {place(i)}: the letter '{text[at]}' makes this a protein; expected DNA (A, C, G, T, N and "
                "IUPAC ambiguities)."
            )
        raise InputError(
            f"{path}, {place(i)}: the character '{text[at]}' at position {at + 1} is not a base; expected A, C, G, T, "
            "N and IUPAC ambiguities, without gaps."
        )
