"""Uploads become pixels or a typed error, whatever is in the file."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from shared.errors import InvalidRequest, TooLarge
from shared.pictures import encode_picture, read_picture

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect width="9" height="9"/></svg>'


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png(side: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", "x" * 1000)
    return out.getvalue()


@pytest.fixture
def colors() -> Image.Image:
    """Another color in each corner, smooth in between."""
    y, x = np.mgrid[0:80, 0:100].astype(np.float32)
    return Image.fromarray(np.stack([x * 2, y * 3, 200 - x], -1).astype(np.uint8))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_still_pictures_of_each_format_are_read(colors: Image.Image, format: str):
    picture = read_picture(encoded(colors, format))
    assert (picture.mode, picture.size) == ("RGB", (100, 80))
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(colors)).mean() < 6


def test_a_turned_photo_is_read_upright_and_bare(colors: Image.Image):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    turned = encoded(colors.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    picture = read_picture(turned)
    assert np.array_equal(np.asarray(picture), np.asarray(colors))
    assert not picture.info and not dict(picture.getexif())


def test_cmyk_16_bits_palettes_and_transparency_are_read(colors: Image.Image):
    assert read_picture(encoded(colors.convert("CMYK"), "JPEG")).mode == "RGB"
    wide = Image.fromarray(np.asarray(colors.convert("L")).astype(np.uint16) * 257)
    assert np.array_equal(np.asarray(read_picture(encoded(wide, "PNG")))[..., 0], np.asarray(colors.convert("L")))
    seen_through = colors.convert("RGBA")
    seen_through.putalpha(7)
    assert read_picture(encoded(seen_through, "PNG")).getpixel((0, 0)) == (*colors.getpixel((0, 0)), 7)
    assert read_picture(encoded(colors.convert("P"), "PNG", transparency=0)).mode == "RGBA"


@pytest.mark.parametrize("side", [7_000, 12_000, 40_000])
def test_a_header_that_claims_too_much_costs_nothing(side: int):
    with pytest.raises(TooLarge) as refused:
        read_picture(huge_png(side), "file")
    assert refused.value.param == "file"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG\r\n\x1a\n", huge_png(90), zipped(), SVG, b"%!PS-Adobe-3.0 EPSF-3.0", b"RIFF\x10\0\0\0WEBPVP8 "],
    ids=["empty", "signature", "short", "zip", "svg", "eps", "webp"],
)
def test_what_is_no_picture_is_refused(data: bytes):
    with pytest.raises(InvalidRequest) as refused:
        read_picture(data, "image")
    assert (refused.value.param, refused.value.code) == ("image", "invalid_image")


def test_cut_off_files_are_refused(colors: Image.Image):
    for format in ("PNG", "JPEG", "WEBP"):
        whole = encoded(colors, format)
        with pytest.raises(InvalidRequest):
            read_picture(whole[: len(whole) // 2])


@pytest.mark.parametrize("format", ["WEBP", "GIF", "PNG"])
def test_animations_are_refused(colors: Image.Image, format: str):
    moving = encoded(colors, format, save_all=True, append_images=[colors.transpose(Image.Transpose.ROTATE_180)])
    with pytest.raises(InvalidRequest, match="animated"):
        read_picture(moving)


def test_what_is_encoded_reads_back(colors: Image.Image):
    for format, quality, off in (("png", None, 0), ("jpeg", 97, 4), ("webp", 97, 0), ("jpeg", None, 12)):
        back = read_picture(encode_picture(colors, format, quality))
        assert np.abs(np.asarray(back).astype(int) - np.asarray(colors)).max() <= off
    with pytest.raises(InvalidRequest) as refused:
        encode_picture(colors, "jpeg", 0)
    assert refused.value.param == "quality"


def test_jpeg_lays_transparency_on_white():
    clear = Image.new("RGBA", (40, 40), (9, 9, 9, 0))
    assert read_picture(encode_picture(clear, "jpeg")).getpixel((0, 0)) == (255, 255, 255)
