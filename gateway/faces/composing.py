"""Faces from upload to picture: what routes ask for, done by the pool, kept in the store."""

import asyncio
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.faces.pool import Blob, Pool
from gateway.faces.store import FaceStore, StoredFace
from shared.blobs import Draft
from shared.errors import InvalidRequest, UnsupportedByProvider
from shared.wire.faces import FAITHFUL
from shared.wire.images import Encoding, FacePlacement

CUTOUT_LIMIT_BYTES = 64 << 20
MOST_PIXELS = 4096 * 2160
"""Of a picture that a face is put into. The memory of one composition grows with them: 1.2 GB at this many."""
BLEND = 0.7
"""When nobody says how far."""


class Faced(Protocol):
    """The fields of a request that say how a face gets into a picture."""

    face_blend: float | None
    placement: FacePlacement | None
    output_format: Encoding | None
    output_compression: int | None


@dataclass(frozen=True)
class Composition:
    """How a face is put into a picture, and in which form that is answered."""

    blend: float = BLEND
    placement: Mapping[str, float] = field(default_factory=dict[str, float])
    format: Encoding = "png"
    quality: int | None = None

    @classmethod
    def asked(cls, said: Faced) -> "Composition":
        """Raises InvalidRequest for a form in which the face would not stay what it is."""
        form, quality = said.output_format or "png", said.output_compression
        if form == "png":
            quality = None
        elif quality is None:
            quality = 100
        elif quality < FAITHFUL:
            raise InvalidRequest(
                f"{form} at {quality} changes the face: {FAITHFUL} to 100, or output_format png, keep its pixels",
                param="output_compression",
                code="face_not_kept",
            )
        placement = said.placement.model_dump(exclude_none=True) if said.placement else {}
        return cls(BLEND if said.face_blend is None else said.face_blend, placement, form, quality)


@dataclass(frozen=True)
class Sent:
    """A picture on its way to the child, as it came."""

    blob: Blob
    param: str = "image"
    """The request's field that it came in."""
    base64: bool = False


class Faces:
    def __init__(self, store: FaceStore, pool: Pool) -> None:
        self.store = store
        self.pool = pool

    def check(self, key_id: str, face_id: str) -> StoredFace:
        """Before a picture is paid for. Raises NotFound, Overloaded or UnsupportedByProvider."""
        check_offered()
        self.pool.check_room()
        return self.store.get(key_id, face_id)

    async def add(self, key_id: str, photo: Sent, index: int | None = None) -> StoredFace:
        """Keep the person in the photo. Raises what is wrong with the photo, what `Pool.run` raises, StorageFull."""
        check_offered()
        told = {"index": index, "param": photo.param, "base64": photo.base64}
        facts, png = await self.pool.run("cut", told, photo.blob)
        with self.store.draft(CUTOUT_LIMIT_BYTES) as draft:
            await asyncio.to_thread(fill, draft, png)
            return self.store.put(key_id, draft, facts["width"], facts["height"], facts["box"])

    async def compose(
        self, key_id: str, face_id: str, picture: Sent, how: Composition, *, base64: bool = False
    ) -> tuple[str, bytes]:
        """The picture's size ("1024x768"), and the picture with the face in it, in base64 if so asked.

        Raises NotFound, what is wrong with the picture, and what `Pool.run` raises.
        """
        check_offered()
        _, cutout = self.store.open(key_id, face_id)
        told: dict[str, Any] = {
            "placement": dict(how.placement),
            "blend": how.blend,
            "format": how.format,
            "quality": how.quality,
            "most_pixels": MOST_PIXELS,
            "param": picture.param,
            "base64": picture.base64,
            "answer_base64": base64,
        }
        with cutout:
            facts, made = await self.pool.run("compose", told, cutout, picture.blob)
        return facts["size"], made


def offered() -> bool:
    """Whether the gateway was installed with the means."""
    return importlib.util.find_spec("cv2") is not None


def check_offered() -> None:
    """Raises UnsupportedByProvider."""
    if not offered():
        raise UnsupportedByProvider("faces are not offered: the gateway is installed without its extra `faces`")


def fill(draft: Draft, data: bytes) -> None:
    """For a thread. Raises TooLarge or StorageFull."""
    draft.write(data)
    draft.seal()
