"""A face in a generated picture: the provider makes the scene and hears nothing of it, the person is put in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.faces.composing import MOST_PIXELS, Composition, Faced, Faces, Sent
from shared.errors import InvalidRequest, ServiceError, TooLarge, UpstreamFailed

OURS = frozenset(("face_id", "face_blend", "placement", "output_format", "output_compression"))
"""What the provider is not told: it answers PNG, and how the composed picture is written is said here."""
MADE = "b64_json"


class FacedRequest(Faced, Protocol):
    """A request for generated pictures."""

    face_id: str | None
    background: Any

    @property
    def dimensions(self) -> tuple[int, int] | None: ...


@dataclass(frozen=True)
class PutIn:
    """`gateway.image_answers.Finish` for one request."""

    faces: Faces
    key_id: str
    face_id: str
    how: Composition

    @property
    def says(self) -> Mapping[str, str]:
        return {"output_format": self.how.format, "background": "opaque"}

    async def __call__(self, b64: str) -> str:
        picture = Sent(b64.encode(), MADE, base64=True)
        try:
            _, made = await self.faces.compose(self.key_id, self.face_id, picture, self.how, base64=True)
        except ServiceError as error:
            if error.param == MADE:  # the picture that came is at fault, not the request
                raise UpstreamFailed(f"no face can be put into the upstream's picture: {error}") from error
            raise
        return made.decode("ascii")


def put_face(
    faces: Faces, key_id: str, said: FacedRequest, fields: dict[str, Any]
) -> tuple[dict[str, Any], PutIn | None]:
    """What to ask the provider for, and what to do with its pictures; `fields` and None where no face is asked for.

    Raises what can be known before a picture is paid for: NotFound, InvalidRequest, TooLarge, Overloaded.
    """
    if said.face_id is None:
        return fields, None
    faces.check(key_id, said.face_id)
    if said.background == "transparent":
        raise InvalidRequest("a picture with a face in it is opaque", param="background")
    width, height = said.dimensions or (0, 0)
    if width * height > MOST_PIXELS:
        raise TooLarge(f"with a face a picture may have {MOST_PIXELS:,} pixels", param="size", code="image_too_large")
    how = Composition.asked(said)
    told = {name: value for name, value in fields.items() if name.partition("[")[0] not in OURS}
    return told, PutIn(faces, key_id, said.face_id, how)
