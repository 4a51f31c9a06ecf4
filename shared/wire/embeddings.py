"""`POST /v1/embeddings`: the request and the answer."""

from typing import Annotated, Literal, cast

from pydantic import Discriminator, Field, Tag

from shared.wire.text import Wire

MAX_INPUTS = 2048
"""As many as OpenAI takes in one request."""

Text = Annotated[str, Field(min_length=1)]
TokenIds = Annotated[list[int], Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)]
ManyTokenIds = Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_INPUTS)]


def _kind(value: object) -> str:
    """What `input` seems to be, so that an error is about that and names the place."""
    if not isinstance(value, list):
        return "text"
    first: object = cast(list[object], value)[0] if value else ""
    return "ids" if isinstance(first, int) else "many ids" if isinstance(first, list) else "texts"


Input = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[TokenIds, Tag("ids")]
    | Annotated[Texts, Tag("texts")]
    | Annotated[ManyTokenIds, Tag("many ids")],
    Discriminator(_kind),
]


class EmbeddingRequest(Wire):
    """`input` is one text or a list of them; token ids are ids of the model's own vocabulary."""

    model: str | None = None
    input: Input
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="base64: little-endian float32; default float"
    )
    dimensions: int | None = Field(None, ge=1, description="keep the first so many, again at length 1")

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        """`input` as a list, whatever its shape."""
        if isinstance(self.input, str):
            return [self.input]
        if isinstance(self.input[0], int):
            return [self.input]  # pyright: ignore[reportReturnType]
        return self.input  # pyright: ignore[reportReturnType]


class Embedding(Wire):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Wire):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Wire):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
