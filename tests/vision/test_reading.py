"""Every kind of file that lies in such folders: read the right way, or named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.realdata import real
from zoo.domain.errors import InputError
from zoo.vision.catalogue import looked_at, read_items, voc_items
from zoo.vision.reading import BadImage, Box, look_at, read_image

RED, BLUE = (200, 30, 30), (30, 30, 200)


def halves(size=(40, 20)) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture


def close(pixel, colour) -> bool:
    return bool(np.abs(np.array(pixel, dtype=int) - colour).max() <= 12)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees to the right
    path = tmp_path / "turned.jpg"
    halves().save(path, exif=exif, quality=95)
    picture = read_image(path)
    assert picture.size == (20, 40) and look_at(path) == (40, 20)
    assert close(picture.getpixel((10, 4)), RED) and close(picture.getpixel((10, 36)), BLUE)
    assert read_image(path, Box(0, 0, 20, 10)).size == (20, 10)  # boxes count on the upright image


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "YCbCr"])
def test_modes(tmp_path, mode):
    suffix = {"CMYK": ".tif", "YCbCr": ".jpg"}.get(mode, ".png")
    path = tmp_path / f"x{suffix}"
    picture = halves().quantize(8) if mode == "P" else halves().convert(mode)
    picture.save(path)
    read = read_image(path)
    assert read.mode == "RGB" and read.size == (40, 20) and look_at(path) == (20, 40)
    if mode in ("P", "CMYK", "RGBA", "YCbCr"):
        assert close(read.getpixel((3, 10)), RED) and close(read.getpixel((37, 10)), BLUE)


def test_transparency_lies_on_white(tmp_path):
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    picture.putpixel((0, 0), (*RED, 255))
    picture.save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert read.getpixel((0, 0)) == RED and read.getpixel((3, 3)) == (255, 255, 255)


def test_sixteen_bits_keep_their_levels(tmp_path):
    grey = np.array([[0, 257 * 10], [257 * 100, 65535]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    Image.fromarray(grey).save(tmp_path / "deep.tif")
    for name in ("deep.png", "deep.tif"):
        read = np.asarray(read_image(tmp_path / name))[..., 0]
        np.testing.assert_array_equal(read, [[0, 10], [100, 255]])
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).save(tmp_path / "float.tif")
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "float.tif"))[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize("bits, above", [(8, 10), (10, 12), (12, 14), (14, 16)])
def test_sixteen_bits_of_which_fewer_are_used(tmp_path, bits, above):
    full = 2**bits - 1
    grey = np.array([[0, full // 4], [full // 2, full]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "scan.png")
    read = np.asarray(read_image(tmp_path / "scan.png"))[..., 0]
    np.testing.assert_allclose(read, [[0, 63], [127, 255]], atol=1)
    grey[1, 1] = full + 1  # one more needs the next range
    Image.fromarray(grey).save(tmp_path / "scan.png")
    read = np.asarray(read_image(tmp_path / "scan.png"))[..., 0]
    assert read[1, 1] == (full + 1) * 255 // (2**above - 1) < 130


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (6, 5), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert close(read_image(tmp_path / "a.gif").getpixel((0, 0)), RED)


def odd_folder(folder, per_class: int = 3):
    """Good images of two classes, odd but sound ones, and five bad ones."""
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(per_class):
            halves((40 + 7 * i, 30)).save(folder / label / f"{i}.jpg")
    halves((1, 1)).save(folder / "cat" / "one.png")
    halves((5000, 1)).save(folder / "dog" / "line.png")
    bad = folder / "dog"
    (bad / "empty.jpg").write_bytes(b"")
    (bad / "text.jpg").write_text("not an image at all\n" * 50)
    whole = (folder / "cat" / "0.jpg").read_bytes()
    (bad / "half.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (bad / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3)
    (bad / "bomb.png").write_bytes(_bomb())
    (folder / "cat" / ".hidden.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("left alone")
    return {f"dog/{name}" for name in ("empty.jpg", "text.jpg", "half.jpg", "noise.png", "bomb.png")}


def _bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels."""
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0" * 40


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path):
    bad = odd_folder(tmp_path)
    found = looked_at(read_items(tmp_path))
    assert {b.name for b in found.bad} == bad
    assert len(found.items) == 8 and found.classes == ("cat", "dog")
    assert {i.size for i in found.items} >= {(1, 1), (1, 5000), (30, 40)}
    assert "empty" in found.told() and "5 of 13" in found.told()
    with pytest.raises(InputError, match=r"text\.jpg: it is no image") as stop:
        looked_at(read_items(tmp_path), strict=True)
    assert all(name in str(stop.value) for name in bad)


def test_damage_at_any_byte_is_no_other_error(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    halves().save(tmp_path / "a.jpg")
    for name in ("a.png", "a.jpg"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(60):
            broken = bytearray(whole)
            for at in rng.integers(0, len(whole), 3):
                broken[at] ^= int(rng.integers(1, 255))
            (tmp_path / "b").write_bytes(bytes(broken[: int(rng.integers(1, len(whole)))]))
            for read in (read_image, look_at):
                try:
                    read(tmp_path / "b")
                except BadImage as error:
                    assert str(error)


def test_a_split_above_the_classes(tmp_path):
    for part in ("train", "val", "test"):
        for label in ("cat", "dog"):
            (tmp_path / part / label).mkdir(parents=True)
            halves().save(tmp_path / part / label / "a.jpg")
    items = read_items(tmp_path)
    assert {(i.split, i.label) for i in items} == {(p, c) for p in ("train", "valid", "test") for c in ("cat", "dog")}


def test_a_manifest_with_boxes(tmp_path):
    halves().save(tmp_path / "a.png")
    rows = ["path,label,xmin,ymin,xmax,ymax", "a.png,left,0,0,20,20", "a.png,right,20,0,40,20", "a.png,right,30,0,50,9"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    found = looked_at(read_items(tmp_path / "m.csv"))
    assert [i.label for i in found.items] == ["left", "right"] and {i.group for i in found.items} == {"a.png"}
    assert read_image(found.items[1].path, found.items[1].box).getpixel((0, 0)) == BLUE
    assert "reaches outside" in found.bad[0].reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("label\ncat\n", "expected a column 'path'"),
        ("path,xmin\na.png,3\n", "boxes need all of"),
        ("path,xmin,ymin,xmax,ymax\na.png,1,2,x,4\n", "line 2: xmin"),
        ("path,split\na.png,holiday\n", "split 'holiday' is none of"),
        ("path\n", "names no image"),
    ],
)
def test_a_manifest_that_is_not_understood(tmp_path, text, said):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_items(tmp_path / "m.csv")


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_items(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no image file"):
        read_items(tmp_path)
    halves().save(tmp_path / "a.png")
    with pytest.raises(InputError, match="has no labels: sort the images"):
        read_items(tmp_path, labelled=True)
    for i, part in enumerate(("train", "test")):  # parts are no classes
        (tmp_path / "parts" / part).mkdir(parents=True)
        halves().save(tmp_path / "parts" / part / f"{i}.png")
    with pytest.raises(InputError, match="has no labels: sort the images"):
        read_items(tmp_path / "parts", labelled=True)


def test_a_label_that_is_missing_is_named(tmp_path):
    odd_folder(tmp_path / "animals")
    halves().save(tmp_path / "animals" / "stray.png")
    with pytest.raises(InputError, match=r"1 of 14 images lie in no folder of a class.* \(stray.png\)"):
        read_items(tmp_path / "animals", labelled=True)
    (tmp_path / "m.csv").write_text("path,label\na.png,cat\nb.png\nc.png,dog\n")
    with pytest.raises(InputError, match=r"1 of 3 images have no label.* \(b.png\)"):
        read_items(tmp_path / "m.csv", labelled=True)
    (tmp_path / "m.csv").write_text("path\na.png\n")
    with pytest.raises(InputError, match="column 'label'"):
        read_items(tmp_path / "m.csv", labelled=True)


def test_files_that_are_not_there_are_named(tmp_path):
    halves().save(tmp_path / "a.png")
    (tmp_path / "dead.png").symlink_to("nowhere.png")
    (tmp_path / "folder.png").mkdir()
    assert [(b.name, b.reason) for b in looked_at(read_items(tmp_path)).bad] == [("dead.png", "there is no such file")]
    (tmp_path / "m.csv").write_text("path\na.png\nfolder.png\nmoved.png\n")
    found = looked_at(read_items(tmp_path / "m.csv"))
    assert [b.reason for b in found.bad] == ["it cannot be opened (Is a directory)", "there is no such file"]


def test_cells_of_blood():
    folder = real("vision/bccd")
    found = looked_at(voc_items(sorted((folder / "Annotations").glob("*.xml")), folder / "JPEGImages"))
    assert len(found.items) == 808 and len(found.bad) == 1  # the degenerate box that SOURCE.yaml tells of
    assert found.classes == ("Platelets", "RBC", "WBC") and len({i.group for i in found.items}) == 60
    assert all(min(i.size) >= 8 for i in found.items)


@pytest.mark.slow
def test_ten_thousand_odd_files(tmp_path):
    odd_folder(tmp_path / "some", per_class=2)
    kinds = sorted(p for p in (tmp_path / "some").rglob("*.*") if p.suffix != ".txt" and not p.name.startswith("."))
    (tmp_path / "many").mkdir()
    contents = [(p.read_bytes(), p.suffix, p.name) for p in kinds]
    bad = {"empty.jpg", "text.jpg", "half.jpg", "noise.png", "bomb.png"}
    expected = set()
    for i in range(10_000):
        content, suffix, name = contents[i % len(contents)]
        (tmp_path / "many" / f"{i:05d}{suffix}").write_bytes(content)
        if name in bad:
            expected.add(f"{i:05d}{suffix}")
    found = looked_at(read_items(tmp_path / "many"))
    assert {b.name for b in found.bad} == expected and len(found.items) + len(found.bad) == 10_000
    assert found.told().count("\n") < 30  # the message stays short; the list is whole
    with pytest.raises(InputError, match=f"{len(expected)} of 10000 images cannot be used"):
        looked_at(read_items(tmp_path / "many"), strict=True)
