"""`/api/v1/multimodal`: pictures, films and sounds in short calls; what was made lies in files of the key's."""

from typing import Any, Literal

from pydantic import Field

from shared.wire.audio import Encoding
from shared.wire.faces import FaceObject
from shared.wire.images import FacedImageGenerate
from shared.wire.text import NotOffered, Wire

Side = Field(None, ge=16, le=8192, description="in pixels; without both the model's own size")


class InitMultimodal(Wire):
    modalities: list[str] | None = Field(None, description="whose default models to load; without it all offered ones")


class GenerateImage(FacedImageGenerate):
    """One picture. `size` may stand in for width and height."""

    width: int | None = Side
    height: int | None = Side
    n: int | None = Field(None, ge=1, le=1)
    stream: NotOffered = None
    partial_images: NotOffered = None
    response_format: NotOffered = None


class GenerateAudio(Wire):
    """`duration` in seconds is for music and effects; `voice`, `speed` and `instructions` are for speech."""

    prompt: str = Field(min_length=1, max_length=100_000)
    mode: Literal["music", "speech", "effects"]
    duration: float | None = Field(None, gt=0, le=600)
    model: str | None = None
    voice: str | None = Field(None, max_length=200)
    speed: float | None = Field(None, ge=0.25, le=4.0)
    instructions: str | None = Field(None, max_length=4096)
    response_format: Encoding | None = Field(None, description="mp3 unless asked otherwise")
    seed: int | None = Field(None, ge=0, lt=2**63)


class Generated(Wire):
    """`url` needs the key that asked."""

    filename: str
    url: str
    media_type: str
    size_bytes: int
    model: str


class UploadedFace(FaceObject):
    face_id: str


class GeneratedFile(Wire):
    filename: str
    url: str
    media_type: str
    size_bytes: int
    created_at: int
    expires_at: int | None = None


class GeneratedList(Wire):
    """The newest first; ask on with `after=<last filename>` while `has_more`."""

    object: Literal["list"] = "list"
    data: list[GeneratedFile]
    has_more: bool


class GeneratedDeleted(Wire):
    filename: str
    deleted: bool = True


class Capability(Wire):
    modality: str
    offered: bool
    provider: str | None = None
    model: str | None = Field(default=None, description="of requests that name none")


class Capabilities(Wire):
    operations: dict[str, Capability]


class Initialized(Wire):
    """modality -> the loaded model, as /v1/models shows it, and its provider."""

    modalities: dict[str, dict[str, Any]]
