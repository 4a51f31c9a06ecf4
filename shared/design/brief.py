"""A brief: what is wanted, and on which canvas."""

from typing import NoReturn

from pydantic import BaseModel, Field, field_validator, model_validator

from shared.errors import InvalidRequest

SQUARE, PORTRAIT, STORY, WIDE = (1080, 1080), (1080, 1350), (1080, 1920), (1200, 628)
META = {"square": SQUARE, "portrait": PORTRAIT, "story": STORY, "landscape": WIDE}
PLATFORMS: dict[str, dict[str, tuple[int, int]]] = {
    "meta": META,
    "facebook": META,
    "instagram": META,
    "linkedin": {"square": (1200, 1200), "portrait": PORTRAIT, "landscape": WIDE},
    "pinterest": {"square": (1000, 1000), "portrait": (1000, 1500)},
    "google": {"square": (1200, 1200), "portrait": (960, 1200), "landscape": WIDE},
    "youtube": {"landscape": (1280, 720), "square": SQUARE},
    "tiktok": {"story": STORY},
    "x": {"square": SQUARE, "landscape": (1600, 900)},
}
"""platform -> format -> (width, height) in px."""

MAX_PROMPT_CHARS = 2000


class Brief(BaseModel):
    """Raises InvalidRequest, with the field named, when the words are missing or the canvas is unknown."""

    prompt: str = Field(description="what the ad should say, in your own words")
    platform: str = Field(description="one of " + ", ".join(PLATFORMS))
    format: str = Field(description="square, portrait, story or landscape, as the platform has it")

    @field_validator("platform", "format")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.strip().lower()

    @model_validator(mode="after")
    def _known(self) -> "Brief":
        self.prompt = self.prompt.strip()
        if not self.prompt:
            raise InvalidRequest("`prompt` must not be empty", param="prompt")
        if len(self.prompt) > MAX_PROMPT_CHARS:
            raise InvalidRequest(
                f"`prompt` has {len(self.prompt)} characters; {MAX_PROMPT_CHARS} are allowed", param="prompt"
            )
        if any(0xD800 <= ord(char) <= 0xDFFF or (ord(char) < 32 and char not in "\t\r\n") for char in self.prompt):
            raise InvalidRequest("`prompt` holds characters that are no text", param="prompt")
        if self.platform not in PLATFORMS:
            _unknown("platform", self.platform, "there are", PLATFORMS)
        if self.format not in PLATFORMS[self.platform]:
            _unknown("format", self.format, f"{self.platform} has", PLATFORMS[self.platform])
        return self

    @property
    def width(self) -> int:
        return PLATFORMS[self.platform][self.format][0]

    @property
    def height(self) -> int:
        return PLATFORMS[self.platform][self.format][1]


def _unknown(
    field: str, value: str, there: str, known: dict[str, dict[str, tuple[int, int]]] | dict[str, tuple[int, int]]
) -> NoReturn:
    raise InvalidRequest(f"unknown {field} {value[:40]!r}; {there}: {', '.join(known)}", param=field)
