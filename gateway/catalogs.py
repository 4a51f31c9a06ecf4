"""The models of all modalities as one list: what a name means is asked of each in turn."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from gateway.modality import Catalog
from gateway.names import ModelNames, may_have, merged, own, unknown_model
from gateway.together import ask_who_is_there
from shared.errors import AWAY, NotFound, ServiceError, UnsupportedByProvider

Json = dict[str, Any]


class Part(Protocol):
    """One modality, as `gateway.text.Text` and `gateway.images.Images` are."""

    @property
    def models(self) -> Catalog: ...

    @property
    def names(self) -> ModelNames: ...

    async def resolve(self, name: object) -> str: ...


async def list_models(offered: Mapping[str, Part]) -> Json:
    """OpenAI's model objects under their merged names. A service that is away is named in `unavailable` instead.

    Raises what the first one raised when none answers.
    """
    parts = _some(offered)
    found, rest = await ask_who_is_there({modality: part.models.models() for modality, part in parts}, "the models")
    models: dict[str, Json] = {}
    for modality, theirs in found.items():
        for model in theirs:
            id = merged(modality, str(model["id"]))
            models.setdefault(id, {**model, "id": id})
    return {"object": "list", "data": list(models.values()), **rest}


async def ask_owner(offered: Mapping[str, Part], name: str, ask: Callable[[Part, str], Awaitable[Json]]) -> Json:
    """What the first modality that has the model `name` says to `ask(part, its own name)`. Raises NotFound."""
    missing: NotFound | None = None
    for modality, part in _some(offered):
        try:
            found = await ask(part, own(modality, name))
        except NotFound as error:
            missing = missing or error
        else:
            return {**found, "id": merged(modality, str(found["id"]))} if "id" in found else found
    assert missing is not None
    raise missing


async def resolve(offered: Mapping[str, Part], name: str) -> str:
    """The merged name of the model that `name` means to the first modality that knows it.

    One that is away is passed over. Raises why it is away if no other knows the name, else NotFound.
    """
    missing: ServiceError = unknown_model(name)
    for modality, part in _some(offered):
        if not may_have(modality, name):
            continue
        try:
            return merged(modality, await part.resolve(own(modality, name)))
        except AWAY as error:
            missing = error
        except NotFound:
            continue
    raise missing


def _some(offered: Mapping[str, Part]) -> list[tuple[str, Part]]:
    if not offered:
        raise UnsupportedByProvider("no models are offered: set ML_TEXT_URL, or MODEL_PROVIDER=openai")
    return list(offered.items())
