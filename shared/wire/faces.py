"""`/v1/faces`: a photo comes in, the person is kept under an id; `/v1/faces/compose` puts her into a picture."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.wire.images import Encoding, FacePlacement
from shared.wire.text import Wire

FAITHFUL = 97
"""The least quality at which a face stays what it was; at 92 its structural similarity falls to 0.97."""


class Picture(Wire):
    """A picture in JSON, one of three ways; in a form it is the file `image`."""

    image: str | None = Field(None, min_length=1, description="base64, or a data: URL")
    image_url: str | None = Field(None, min_length=1, description="a data: URL, or a public http(s) address")
    file_id: str | None = Field(None, min_length=1, max_length=100, description="an uploaded file")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(given is not None for given in (self.image, self.image_url, self.file_id)) != 1:
            raise PydanticCustomError("picture", "give one of `image`, `image_url` and `file_id`")
        return self


class FaceFields(Wire):
    """What a form has beside the photo."""

    index: int | None = Field(None, ge=0, lt=1000, description="which face, where there are several; 0 is the widest")


class FaceRequest(FaceFields, Picture):
    """The same as JSON."""


class ComposeFields(Wire):
    """What a form has beside the picture."""

    face_id: str = Field(min_length=1, max_length=100)
    face_blend: float | None = Field(None, ge=0, le=1, description="how far hair, neck and light are blended")
    placement: FacePlacement | None = None
    output_format: Encoding | None = Field(None, description="png unless asked otherwise")
    output_compression: int | None = Field(None, ge=0, le=100, description=f"of jpeg and webp: {FAITHFUL} to 100")


class ComposeRequest(ComposeFields, Picture):
    """The same as JSON."""


class FaceBox(Wire):
    """In px of the cut-out, brows to chin."""

    left: float
    top: float
    width: float
    height: float


class FaceObject(Wire):
    id: str
    object: Literal["face"] = "face"
    created_at: int
    bytes: int
    """Of the cut-out, a PNG with transparency, as are width and height."""
    width: int
    height: int
    box: FaceBox


class FaceList(Wire):
    object: Literal["list"] = "list"
    data: list[FaceObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FaceDeleted(Wire):
    id: str
    object: Literal["face"] = "face"
    deleted: bool = True
