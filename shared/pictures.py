"""Bytes become a picture, or an error that says what is wrong with them; a picture becomes bytes.

Nothing is decoded before format and size are known from the header, so that a small file which claims to be huge
costs nothing.
"""

import io
from typing import BinaryIO, Literal

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from shared.errors import InvalidRequest, TooLarge

Encoding = Literal["png", "jpeg", "webp"]
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MOST_PIXELS = 40_000_000
FAITHFUL_QUALITY = 97
"""From here on JPEG and WebP keep a face: at 92 its structural similarity was 0.970 (LOG.md)."""
DEFAULT_QUALITY = 95
TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError)
"""What Pillow raises for files that are broken or made to hurt it."""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
TOO_MANY = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def read_picture(file: BinaryIO | bytes, param: str = "image") -> Image.Image:
    """The one still picture as a viewer shows it: upright, in sRGB, 8 bits; RGB, or RGBA where it has transparency.

    Raises InvalidRequest and TooLarge on `param`. A phone's JPEG that carries more pictures (MPO) gives its first.
    """
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS) as image:
            _check(image, param)
            return _in_8_bits(_in_srgb(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError as error:
        raise InvalidRequest(
            f"not a picture that can be read: {', '.join(FORMATS)} can", param=param, code="invalid_image"
        ) from error
    except TOO_MANY as error:
        raise TooLarge(f"more than {MOST_PIXELS:,} pixels", param=param, code="image_too_large") from error
    except BROKEN as error:
        raise InvalidRequest(f"the picture is broken: {error}", param=param, code="invalid_image") from error


def encode_picture(image: Image.Image, format: Encoding = "png", quality: int | None = None) -> bytes:
    """`quality` in [1, 100] counts for JPEG and WebP; from FAITHFUL_QUALITY on no color is halved.

    JPEG has no transparency: it lies on white. Raises InvalidRequest on `quality`.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise InvalidRequest("quality is 1 to 100", param="quality")
    quality = DEFAULT_QUALITY if quality is None else quality
    out = io.BytesIO()
    if format == "png":
        image.save(out, "PNG", compress_level=4)
    elif format == "jpeg":
        flat = on_white(image)
        flat.save(out, "JPEG", quality=quality, subsampling=0 if quality >= FAITHFUL_QUALITY else 2, optimize=True)
    else:
        image.save(out, "WEBP", quality=quality, lossless=quality >= FAITHFUL_QUALITY)
    return out.getvalue()


def on_white(image: Image.Image) -> Image.Image:
    """RGB; transparent parts lie on white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _check(image: Image.Image, param: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise TooLarge(f"{width}x{height} are more than {MOST_PIXELS:,} pixels", param=param, code="image_too_large")
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise InvalidRequest("the picture is animated; one still picture is needed", param=param, code="invalid_image")


def _in_srgb(image: Image.Image) -> Image.Image:
    """Colors of a camera's wide profile as the screen's. A profile that cannot be read is ignored, as viewers do."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        turned = ImageCms.profileToProfile(image, source, SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return image
    return image if turned is None else turned


def _in_8_bits(image: Image.Image) -> Image.Image:
    if image.mode in TRANSPARENT or "transparency" in image.info:
        return _bare(image.convert("RGBA"))
    if image.mode.startswith(("I", "F")):  # 16-bit greys would be cut off instead of scaled
        wide = image.convert("F")
        top = 65535.0 if float(wide.getextrema()[1]) > 255 else 255.0  # pyright: ignore[reportArgumentType]
        image = wide.point(lambda value: value * (255 / top)).convert("L")
    return _bare(image.convert("RGB"))


def _bare(image: Image.Image) -> Image.Image:
    """Without what the file said besides pixels: where it was taken does not leave with what is made of it."""
    image.info = {}
    image.getexif().clear()
    return image
