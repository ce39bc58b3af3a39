"""Which images there are, what they show, and which of the files are no images.

a folder           of images, or of one folder for each class (ImageFolder)
a CSV manifest     path, label[, split][, group][, xmin, ymin, xmax, ymax]: boxes are cut out at load
VOC annotations    one XML for each photograph, with named boxes (Everingham et al. 2010)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from zoo.domain.errors import InputError
from zoo.vision.reading import SMALLEST_BOX, SUFFIXES, BadImage, Box, look_at

BOX_COLUMNS = ("xmin", "ymin", "xmax", "ymax")
NAMED = 20  # bad files in a warning


@dataclass(frozen=True)
class Item:
    """One image to be read. label: None if unknown. group: images of one group stay in one part (a patient, the
    photograph that several crops are of). size: (height, width) of what will be read; None until looked at. picture:
    what is in memory already, and has no file."""

    name: str
    path: Path | None
    label: str | None = None
    box: Box | None = None
    split: str | None = None
    group: str | None = None
    size: tuple[int, int] | None = None
    picture: Image.Image | None = None


@dataclass(frozen=True)
class Bad:
    """A file (or a box of it) that cannot be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Catalogue:
    """Images that were looked at and can be read, and the bad ones."""

    items: tuple[Item, ...]
    bad: tuple[Bad, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({item.label for item in self.items if item.label is not None}))

    def told(self, named: int | None = NAMED) -> str:
        """So many of the bad ones, or all, a line each; empty if there are none."""
        if not self.bad:
            return ""
        lines = [f"  {bad.name}: {bad.reason}" for bad in self.bad[:named]]
        more = [f"  and {len(self.bad) - len(lines)} more"] if len(self.bad) > len(lines) else []
        count = f"{len(self.bad)} of {len(self.bad) + len(self.items)} images cannot be used:"
        return "\n".join([count, *lines, *more])


def looked_at(items: Iterable[Item], strict: bool = False) -> Catalogue:
    """Every file is opened once and read to its end. strict: raises InputError with the list of the bad ones."""
    good, bad, known = [], [], {}
    for item in items:
        if item.path not in known:
            try:
                known[item.path] = look_at(item.path)
            except BadImage as error:
                known[item.path] = str(error)
        found = known[item.path]
        reason = found if isinstance(found, str) else _box_problem(item.box, found)
        if reason:
            bad.append(Bad(item.name, reason))
        else:
            good.append(replace(item, size=found if item.box is None else (item.box.height, item.box.width)))
    catalogue = Catalogue(tuple(good), tuple(bad))
    if strict and bad:
        raise InputError(f"{catalogue.told(None)}\nTake them out, or leave strict=true away to go on without them")
    return catalogue


def _box_problem(box: Box | None, size: tuple[int, int]) -> str | None:
    if box is None:
        return None
    if min(box.width, box.height) < SMALLEST_BOX:
        return f"its box is {box.width} x {box.height} pixels, the least is {SMALLEST_BOX}"
    if box.left < 0 or box.top < 0 or box.right > size[1] or box.bottom > size[0]:
        return f"its box {tuple(box)} reaches outside the image of {size[1]} x {size[0]}"
    return None


def read_items(path: str | Path, labelled: bool | None = None) -> list[Item]:
    """Of an image, a folder, or a CSV manifest. labelled: True demands labels, False leaves them out, None takes what
    there is. Raises InputError if there is nothing, or labels are asked for and absent."""
    path = Path(path).expanduser()
    if path.is_dir():
        items = folder_items(path)
    elif path.suffix.lower() in (".csv", ".tsv"):
        items = manifest_items(path)
    elif path.is_file():
        items = [Item(path.name, path)]
    else:
        raise InputError(f"{path}: there is no such file or folder; give an image, a folder of them or a CSV manifest")
    if labelled and any(item.label is None for item in items):
        raise InputError(_unlabelled(path, items))
    return [replace(item, label=None) for item in items] if labelled is False else items


def _unlabelled(path: Path, items: Sequence[Item]) -> str:
    """What to do about it."""
    stray = [item.name for item in items if item.label is None and not (path.is_dir() and "/" in item.name)]
    if 0 < len(stray) < len(items):
        told = f"{path}: {len(stray)} of {len(items)} images"
        if path.is_dir():
            return f"{told} lie in no folder of a class: move them into one, or away ({', '.join(stray[:3])})"
        return f"{told} have no label: give them one, or take them out ({', '.join(stray[:3])})"
    if path.suffix.lower() in (".csv", ".tsv"):
        return f"{path} has no labels: give it a column 'label'"
    return f"{path} has no labels: sort the images into a folder for each class, or give a CSV manifest"


def folder_items(folder: Path) -> list[Item]:
    """Every file with an image's suffix, sorted; hidden ones are left out. The label is the first folder below, where
    all images lie in such; folders called train, valid (val, validation) and test above these are the split."""
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and (p.is_file() or not p.exists()) and not _hidden(p, folder)  # dead links too
    )
    if not files:
        raise InputError(f"{folder} holds no image file ({', '.join(SUFFIXES[:6])}, ...): name another folder")
    parts = [p.relative_to(folder).parts for p in files]
    in_parts = all(p[0].lower() in SPLITS for p in parts)
    split = in_parts and all(len(p) > 2 for p in parts)
    at = int(split)
    sorted_in = split if in_parts else all(len(p) > 1 for p in parts)  # "train" is no class
    return [
        Item(
            "/".join(p),
            file,
            p[at] if sorted_in else None,
            split=SPLITS[p[0].lower()] if split else None,
        )
        for file, p in zip(files, parts, strict=True)
    ]


SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid", "test": "test"}


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def manifest_items(path: Path) -> list[Item]:
    """Paths are relative to the manifest's folder. A row that cannot be understood stops with its number."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            columns = [column.strip().lower() for column in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    where = next((name for name in ("path", "image", "file", "filename") if name in columns), None)
    if where is None:
        raise InputError(f"{path}: expected a column 'path' (or image, file), got {', '.join(columns) or 'nothing'}")
    boxed = [name for name in BOX_COLUMNS if name in columns]
    if boxed and len(boxed) < 4:
        raise InputError(f"{path}: boxes need all of {', '.join(BOX_COLUMNS)}, got {', '.join(boxed)}")
    if not rows:
        raise InputError(f"{path} names no image: it has a header and no rows")
    items = []
    for number, row in enumerate(rows, start=2):
        file = (row[where] or "").strip()
        if not file:
            raise InputError(f"{path}, line {number}: the column '{where}' is empty")
        split = (row.get("split") or "").strip().lower() or None
        if split is not None and split not in SPLITS:
            raise InputError(f"{path}, line {number}: split '{split}' is none of {', '.join(SPLITS)}")
        box = _row_box(row, path, number) if boxed else None
        name = file if box is None else f"{file}[{','.join(map(str, box))}]"
        group = (row.get("group") or "").strip() or (file if box is not None else None)
        label = (row.get("label") or "").strip() or None
        items.append(Item(name, path.parent / file, label, box, split and SPLITS[split], group))
    return items


def _row_box(row: dict[str, str], path: Path, number: int) -> Box:
    try:
        return Box(*(int(row[name]) for name in BOX_COLUMNS))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}, line {number}: {', '.join(BOX_COLUMNS)} must be whole numbers of pixels") from error


def voc_items(annotations: Sequence[Path], images: Path) -> list[Item]:
    """Each named box of each photograph; crops of one photograph are one group. VOC counts pixels from 1, and names
    the last one inside."""
    items = []
    for file in annotations:
        text = file.read_text(encoding="utf-8")
        if re.search(r"<!(DOCTYPE|ENTITY)", text):
            raise InputError(f"{file}: annotations with a document type of their own are not read")
        try:
            root = ElementTree.fromstring(text)
            photograph = file.with_suffix(".jpg").name
            for cell in root.iter("object"):
                x0, y0, x1, y1 = (int(cell.findtext(f"bndbox/{name}")) for name in BOX_COLUMNS)
                size = [int(root.findtext(f"size/{name}")) for name in ("width", "height")]
                box = Box(max(0, x0 - 1), max(0, y0 - 1), min(size[0], x1), min(size[1], y1))
                name = f"{photograph}[{','.join(map(str, box))}]"
                items.append(Item(name, images / photograph, cell.findtext("name"), box, group=photograph))
        except (ElementTree.ParseError, TypeError, ValueError) as error:
            raise InputError(f"{file} is no VOC annotation: {error}") from error
    return items
