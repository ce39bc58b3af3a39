"""One image file, whatever it holds -> an RGB picture the right way up, or one sentence that says why not.

EXIF orientation is applied. Of an animation the first frame is taken. Grey of more than 8 bits is brought to 8 by the
full range of 8, 10, 12, 14 or 16 bits, the smallest that holds its brightest pixel: files do not say how many of the 16
are used, and a scan of 12 would be nearly black in the range of 16. What is transparent is laid on white.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".jp2")
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # greys of up to 16 bits; Pillow writes and opens some of them as "I"
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners fill
SMALLEST_BOX = 8  # pixels; what is smaller is a slip of the annotator


class Box(NamedTuple):
    """Pixels, left and top included, right and bottom excluded, of the image the right way up."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


class BadImage(ValueError):
    """A file that is no image, or half of one. The message is the reason alone: the caller knows the name."""


def read_image(path: str | Path, box: Box | None = None) -> Image.Image:
    """The RGB picture, or the part of it in `box`. Raises BadImage."""
    picture = upright(_opened(path))
    return picture if box is None else picture.crop(box)


def look_at(path: str | Path) -> tuple[int, int]:
    """(height, width) the right way up, after every byte was read: a truncated file is found here.

    JPEG is decoded at an eighth of its size, which reads the whole file and takes a fraction of the time.
    """
    picture = _opened(path, fast=True)
    return picture.info["height"], picture.info["width"]


def _opened(path: str | Path, fast: bool = False) -> Image.Image:
    try:
        if Path(path).stat().st_size == 0:
            raise BadImage("it is empty")
        with warnings.catch_warnings(), open(path, "rb") as stream:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # odd metadata beside sound pixels
            picture = Image.open(stream)
            width, height = picture.size
            if picture.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                width, height = height, width
            if fast:
                picture.draft("L", (1, 1))
            picture.load()
            picture.info |= {"height": height, "width": width}
            return picture
    except UnidentifiedImageError as error:
        raise BadImage("it is no image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(f"it claims more pixels than the limit of {Image.MAX_IMAGE_PIXELS:,}") from error
    except BadImage:
        raise
    except FileNotFoundError as error:
        raise BadImage("there is no such file") from error
    except (IsADirectoryError, PermissionError) as error:
        raise BadImage(f"it cannot be opened ({error.strerror})") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, MemoryError) as error:
        # Pillow's readers raise nearly anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadImage(f"it is damaged ({reason})") from error


def upright(picture: Image.Image) -> Image.Image:
    """RGB, turned as its EXIF orientation says, laid on white where it is transparent."""
    return _rgb(ImageOps.exif_transpose(picture))


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in DEEP:
        grey = np.clip(np.asarray(picture).astype(np.int64), 0, 65535)
        full = next(2**bits - 1 for bits in DEPTHS if grey.max() < 2**bits)
        return Image.fromarray((grey * 255 // full).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        grey = np.nan_to_num(np.asarray(picture, dtype=np.float32))
        low, high = float(grey.min()), float(grey.max())  # floats have no full range: 0-1, 0-255, or their own
        low, high = (low, high) if low < 0 or high > 255 else (0.0, 1.0 if high <= 1 else 255.0)
        level = (grey - low) / max(high - low, 1e-12) * 255
        return Image.fromarray(level.round().astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        above = picture.convert("RGBA")
        white = Image.new("RGBA", above.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, above).convert("RGB")
    return picture.convert("RGB")


ImageFile.LOAD_TRUNCATED_IMAGES = False  # half an image is a bad image, whatever another library has set
