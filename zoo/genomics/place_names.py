"""What a sequence's name says of where it was cut from: `chr1:100-400(-)`, as bedtools and this package write it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a sequence was cut from; start 0 of a chromosome of its own name where that is not known."""

    chromosome: str
    start: int = 0
    end: int | None = None  # known where `turned`
    turned: bool = False  # cut from the - strand

    def of(self, start: int, end: int, strand: str = "+") -> tuple[int, int, str]:
        """A stretch of the sequence in coordinates of the chromosome, and the strand that it is on there."""
        if not self.turned:
            return self.start + start, self.start + end, strand
        return self.end - end, self.end - start, {"+": "-", "-": "+"}.get(strand, strand)


def genome_place(name: str, length: int | None = None) -> Place:
    """Reads a sequence's name: `chr1:100-400`, 0-based and half-open, with `(+)` or `(-)` behind it or nothing, and
    `peak1::` before it or nothing (`bedtools getfasta -name`).

    length: of the sequence. A span that is one base short of it is 1-based and closed (`samtools faidx`); one that
    fits neither way is no place.
    """
    name = name.split()[0] if name.split() else "unnamed"
    chromosome, colon, span = name.rpartition("::")[2].rpartition(":")
    turned = span.endswith("(-)")
    start, dash, end = span.removesuffix("(+)").removesuffix("(-)").partition("-")
    if not (colon and dash and start.isdecimal() and end.isdecimal() and chromosome):
        return Place(name)
    first, last = int(start), int(end)
    if length is None or last - first == length:
        return Place(chromosome, first, last, turned)
    return Place(chromosome, first - 1, last, turned) if last - first + 1 == length and first else Place(name)


def name_of_part(name: str, length: int, start: int, end: int) -> str:
    """What a stretch of a sequence is called, so that its place can be read from it again."""
    place = genome_place(name, length)
    first, last, _ = place.of(start, end)
    return f"{place.chromosome}:{first}-{last}" + ("(-)" if place.turned else "")
