"""`/v1/images/generations`, `/edits` and `/variations`: requests, the answer, and the events of a stream.

A form's fields are strings: read them with `model_validate_strings`. Its pictures come as files: `image`, or several
as `image[]`, and `mask`.
"""

from typing import Literal, Self

from pydantic import AliasChoices, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.wire.text import NotOffered, Wire

MAX_IMAGES = 10
"""Answers to one request, as OpenAI has it."""
MAX_INPUTS = 16
"""Pictures that one edit may start from, as OpenAI has it."""
PROMPT_CHARS = 32_000
SIZE = r"^(auto|[1-9]\d{1,3}x[1-9]\d{1,3})$"
Background = Literal["transparent", "opaque", "auto"]
Encoding = Literal["png", "jpeg", "webp"]
Quality = Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"]


class Output(Wire):
    """How many pictures, how large, in which form; `user`, `moderation`, `complexity` and the like are hints."""

    model: str | None = None
    n: int | None = Field(None, ge=1, le=MAX_IMAGES)
    size: str | None = Field(None, pattern=SIZE, description='"512x512", or "auto" for what the model likes best')
    response_format: Literal["b64_json", "url"] | None = Field(
        None, description="b64_json unless asked otherwise; a URL is valid for an hour"
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="the same seed and request: the same pictures")

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """(width, height) in pixels; None leaves it to the model."""
        if self.size is None or self.size == "auto":
            return None
        width, height = self.size.split("x")
        return int(width), int(height)


class ImageRequest(Output):
    """What generations and edits share. `steps`, `guidance` (diffusers' names are taken too), `negative_prompt`,
    `style` as a name out of a table, and `seed` are ours."""

    prompt: str = Field(min_length=1, max_length=PROMPT_CHARS)
    background: Background | None = None
    quality: Quality | None = Field(None, description="a hint; in-house `steps` says it exactly")
    output_format: Encoding | None = Field(None, description="png unless asked otherwise")
    output_compression: int | None = Field(None, ge=0, le=100, description="of jpeg and webp, in percent; 100 is best")
    stream: bool | None = None
    partial_images: int | None = Field(None, ge=0, le=3, description="pictures on the way, with `stream`")
    negative_prompt: str | None = Field(None, max_length=PROMPT_CHARS, description="what should not be seen")
    steps: int | None = Field(
        None, ge=1, le=1000, validation_alias=AliasChoices("steps", "num_inference_steps"), description="of denoising"
    )
    guidance: float | None = Field(
        None,
        ge=0,
        le=100,
        validation_alias=AliasChoices("guidance", "guidance_scale"),
        description="how closely the prompt is followed; 0 or 1: no classifier-free guidance",
    )
    style: str | None = Field(None, max_length=100, description="photo, flat, watercolour …: a name out of the table")
    frame_count: NotOffered = None
    svg: NotOffered = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.output_compression not in (None, 100) and self.output_format not in ("jpeg", "webp"):
            raise PydanticCustomError("compression", "output_compression needs output_format jpeg or webp")
        if self.background == "transparent" and self.output_format == "jpeg":
            raise PydanticCustomError("transparent", "a jpeg cannot be transparent: choose png or webp")
        if self.partial_images and not self.stream:
            raise PydanticCustomError("partial_images", "partial_images needs stream")
        return self


class ImageGenerate(ImageRequest):
    """A picture from words. The gateway takes `face_id` (`FacedImageGenerate`); a service alone refuses it."""

    face_id: NotOffered = None


class FacePlacement(Wire):
    """Where the person stands: shares of the picture's width and height."""

    x: float | None = Field(None, ge=0, le=1, description="of the face's middle; 0 is the left edge")
    size: float | None = Field(None, gt=0, le=1, description="how much of the picture's height the person takes")


class FaceWanted(Wire):
    """What the gateway takes beside a service's own fields."""

    face_id: str | None = Field(None, max_length=100, description="an uploaded face that the picture is to show")
    face_blend: float | None = Field(None, ge=0, le=1, description="how far hair, neck and light are blended")
    placement: FacePlacement | None = None


class FacedImageGenerate(FaceWanted, ImageGenerate):
    pass


class ImageRef(Wire):
    """A picture by reference: exactly one of the two."""

    image_url: str | None = Field(None, min_length=1, description="a data: URL, or a public http(s) address")
    file_id: str | None = Field(None, min_length=1, max_length=100)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.image_url is None) == (self.file_id is None):
            raise PydanticCustomError("image_ref", "give either `image_url` or `file_id`")
        return self


class EditFields(ImageRequest):
    """An edit's fields beside its pictures: what a form has. Where the mask is transparent, the first picture changes;
    without one all of it does."""

    strength: float | None = Field(None, gt=0, le=1, description="how far from the picture one may go; 1: all new")
    input_fidelity: Literal["high", "low"] | None = Field(None, description="a hint; in-house `strength` says it")
    markup: NotOffered = None
    face_id: NotOffered = None


class FacedEditFields(FaceWanted, EditFields):
    pass


class ImageEdit(FacedEditFields):
    """The same as JSON, pictures by reference."""

    images: list[ImageRef] = Field(min_length=1, max_length=MAX_INPUTS)
    mask: ImageRef | None = None


class ImageVariation(Output):
    """A variation's fields beside its picture; it is always a form. `strength` is ours."""

    output_format: Encoding | None = None
    strength: float | None = Field(None, gt=0, le=1)
    face_id: NotOffered = None


class TokenDetails(Wire):
    image_tokens: int = 0
    text_tokens: int = 0


class ImageUsage(Wire):
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: TokenDetails = Field(default_factory=TokenDetails)
    output_tokens_details: TokenDetails | None = None


class Image(Wire):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None
    seed: int | None = Field(None, description="ours: asking with it again makes the same picture")


class ImagesResponse(Wire):
    """`model`, the one that answered, is ours."""

    created: int
    data: list[Image]
    background: Literal["transparent", "opaque"] | None = None
    output_format: str | None = None
    quality: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    size: str | None = None
    usage: ImageUsage | None = None
    model: str | None = None


class PartialImage(Wire):
    """An event on the way; `event:` names its type. With n > 1 pictures are made and complete one after the other."""

    type: Literal["image_generation.partial_image", "image_edit.partial_image"]
    b64_json: str
    partial_image_index: int
    background: Background = "opaque"
    created_at: int
    output_format: Encoding = "png"
    quality: str = "auto"
    size: str


class CompletedImage(Wire):
    """The last event of a picture; the stream ends behind the last of them."""

    type: Literal["image_generation.completed", "image_edit.completed"]
    b64_json: str
    background: Background = "opaque"
    created_at: int
    output_format: Encoding = "png"
    quality: str = "auto"
    size: str
    usage: ImageUsage = Field(default_factory=ImageUsage)
    model: str | None = None
    seed: int | None = None
