"""/v1/models/{id} with the official client: look at a model, delete a published one."""

import httpx
import openai
import pytest

from tests.contract.asking import sdk
from tests.contract.upstream import MODELS, Script


@pytest.fixture
def api(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return sdk(client)


@pytest.mark.parametrize("name", ["ft:starter:acme", "org/model", "org/model:tag/x", "a b%2Fc", "ü?#"])
async def test_a_deleted_model_stops_answering_at_once(api: openai.AsyncOpenAI, script: Script, name: str) -> None:
    script.models.append(name)
    assert (await api.models.retrieve(name)).id == name
    answer = await api.chat.completions.create(model=name, messages=[{"role": "user", "content": "hello"}])
    assert answer.model == name
    deleted = await api.models.delete(name)
    assert deleted.model_dump() == {"id": name, "object": "model", "deleted": True}
    with pytest.raises(openai.NotFoundError) as missing:
        await api.chat.completions.create(model=name, messages=[{"role": "user", "content": "hello"}])
    assert missing.value.code == "model_not_found"
    for call in (api.models.retrieve, api.models.delete):
        with pytest.raises(openai.NotFoundError) as missing:
            await call(name)
        assert missing.value.code == "model_not_found"


async def test_a_shipped_model_cannot_be_deleted(api: openai.AsyncOpenAI, provider: str) -> None:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        await api.models.delete(MODELS[provider])
    assert refused.value.param == "model"
    assert (await api.models.retrieve(MODELS[provider])).id == MODELS[provider]
