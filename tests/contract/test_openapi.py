"""Whatever /openapi.json allows, and some that it does not: no request makes the gateway answer 5xx."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import APIRouter, Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from gateway.main import create_gateway
from gateway.settings import MODALITIES, Settings
from shared.app import create_app, event_stream
from shared.wire.chat import AnswerMessage, ChatCompletion, ChatRequest, Choice
from shared.wire.completions import Completion, CompletionChoice, CompletionRequest
from shared.wire.text import Usage
from tests.contract.upstream import serving

TEXT = {"text": "Hi", "x": 100, "y": 100, "fontSize": 64, "color": "#ffffff", "fontFamily": "Montserrat"}
DESIGN = json.dumps({"background_color": "#101010", "elements": [{"type": "text", **TEXT}]})
MODEL = {"id": "starter", "object": "model", "created": 1, "owned_by": "us", "context_length": 512, "parameters": 1}
USAGE = Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2)
service = APIRouter()


async def events() -> AsyncIterator[bytes]:
    yield b'{"model":"starter","choices":[]}'


@service.post("/v1/chat/completions", response_model=None)
async def chat(request: ChatRequest) -> ChatCompletion | Response:
    """As strict as the text service: the wire's types judge the request."""
    if request.stream:
        return event_stream(events())
    choice = Choice(message=AnswerMessage(content=DESIGN), finish_reason="stop")
    return ChatCompletion(id="c", created=1, model="starter", choices=[choice], usage=USAGE)


@service.post("/v1/completions", response_model=None)
async def complete(request: CompletionRequest) -> Completion | Response:
    if request.stream:
        return event_stream(events())
    choice = CompletionChoice(index=0, text="Hi", finish_reason="stop")
    return Completion(id="c", created=1, model="starter", choices=[choice], usage=USAGE)


@service.get("/v1/models")
async def list_models() -> dict[str, Any]:
    return {"object": "list", "data": [MODEL]}


@service.get("/v1/models/{name}")
@service.post("/v1/models/{name}/load")
async def get_model(name: str) -> dict[str, Any]:
    return MODEL


@service.get("/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serving(create_app("service", routers=[service])) as url:
        here = {name: read(urls=(url,)) for name, read in MODALITIES.items()}
        app = create_gateway(Settings(data_dir=tmp_path_factory.mktemp("data"), modalities=here))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


PROPERTIES = settings(
    max_examples=6, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_is_answered_with_5xx(client: TestClient, mode: GenerationMode) -> None:
    """Schemathesis makes requests that the document allows (positive), and such as it does not (negative)."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    tried: set[str] = set()
    for operation in (result.ok() for result in schema.get_all_operations()):

        @PROPERTIES
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            sent = case.as_transport_kwargs(base_url="http://testserver")
            names = ("params", "headers", "json", "data")
            fields = {name: sent[name] for name in names if sent.get(name) is not None}
            if isinstance(fields.get("data"), bytes | str):
                fields["content"] = fields.pop("data")
            answer = client.request(sent["method"], sent["url"], **fields)
            assert answer.status_code < 500, answer.text
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
            case.operation.validate_response(answer)
            tried.add(case.operation.label)

        with contextlib.suppress(Unsatisfiable):  # nothing about it can be wrong, such as /health
            check()
    assert "POST /v1/chat/completions" in tried


def test_answers_are_as_described(client: TestClient) -> None:
    """Fuzzing finds no ids; here one thing leads to the next."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    ids = {"item_id": "msg_1"}

    def ask(method: str, path: str, body: Any = None, query: str = "") -> Any:
        answer = client.request(method, path.format(**ids) + query, json=body)
        assert answer.status_code == 200, answer.text
        assert schema[path][method].validate_response(answer) is None
        return answer.json() if "json" in answer.headers["content-type"] else None

    item = {"id": "msg_1", "role": "user", "content": "hello"}
    talk = ask("POST", "/v1/conversations", {"items": [item], "metadata": {"a": "b"}})
    ids["conversation_id"] = talk["id"]
    made = ask("POST", "/v1/responses", {"input": "hello", "conversation": talk["id"], "background": True})
    ids["response_id"] = made["id"]
    ask("GET", "/v1/responses/{response_id}", query="?stream=true")
    for path in ("", "/input_items"):
        ask("GET", "/v1/responses/{response_id}" + path)
    ask("POST", "/v1/responses/{response_id}/cancel")
    for path in ("/input_tokens", "/compact", ""):
        ask("POST", f"/v1/responses{path}", {"input": [item], "previous_response_id": made["id"]})
    ask("POST", "/v1/responses", {"input": "hello", "stream": True})
    ask("POST", "/v1/conversations/{conversation_id}", {"metadata": None})
    ask("POST", "/v1/conversations/{conversation_id}/items", {"items": [{**item, "id": "msg_2"}]})
    for path in ("", "/items", "/items/{item_id}"):
        ask("GET", "/v1/conversations/{conversation_id}" + path)
    for path in ("/items/{item_id}", ""):
        ask("DELETE", "/v1/conversations/{conversation_id}" + path)
    ask("DELETE", "/v1/responses/{response_id}")
    ask("POST", "/v1/chat/completions", {"messages": [item], "stream": True})
    ids["completion_id"] = ask("POST", "/v1/chat/completions", {"messages": [item], "store": True})["id"]
    for path in ("", "/{completion_id}", "/{completion_id}/messages"):
        ask("GET", "/v1/chat/completions" + path)
    ask("POST", "/v1/chat/completions/{completion_id}", {"metadata": None})
    ask("DELETE", "/v1/chat/completions/{completion_id}")


def test_every_route_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert {"/v1/chat/completions", "/v1/completions", "/v1/models", "/api/v1/usage", "/ready"} <= set(
        described["paths"]
    )
    chat = described["paths"]["/v1/chat/completions"]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ChatRequest"}
    assert "422" not in str(list(described["paths"].values()))


def test_the_docs_page_is_there(client: TestClient) -> None:
    assert client.get("/docs").status_code == 200


def test_docs_are_written_where_they_are_read(tmp_path: Path) -> None:
    """A gateway without any provider still describes itself."""
    with TestClient(create_gateway(Settings(data_dir=tmp_path))) as client:
        assert client.get("/openapi.json").status_code == 200
        answer = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]})
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "unsupported_by_provider"
