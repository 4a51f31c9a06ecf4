"""What stops the start, and says what would work."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from gateway.db import connect
from gateway.keys import KeyStore
from gateway.main import check_host, create_gateway, main
from gateway.settings import Settings

SERVED = {"ML_TEXT_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"MODEL_PROVIDER": "acme"}, "choose custom or openai"),
        ({"MODEL_PROVIDER": "openai"}, "OPENAI_API_KEY"),
        ({"MODEL_PROVIDER_TEXT": "openai"}, "OPENAI_API_KEY"),
        ({"MODEL_PROVIDER_TEXT": "custom"}, "ML_TEXT_URL"),
        ({"MODEL_PROVIDER_IMAGE": "openai", **SERVED}, "MODEL_PROVIDER_IMAGE=openai: openai needs OPENAI_API_KEY"),
        ({"MODEL_PROVIDER_IMAGE": "custom", **SERVED}, "MODEL_PROVIDER_IMAGE=custom needs ML_IMAGE_URL"),
        ({"MODEL_PROVIDER_IMAGE": "acme", **SERVED}, "cannot answer image; choose custom or openai"),
        ({"MODEL_FALLBACK": "acme", **SERVED}, "MODEL_FALLBACK=acme cannot answer text; choose custom or openai"),
        ({"MODEL_FALLBACK": "custom", **SERVED}, "answers already; choose openai"),
        ({"MODEL_FALLBACK": "openai", **SERVED}, "MODEL_FALLBACK=openai: openai needs OPENAI_API_KEY"),
        ({"MODEL_FALLBACK": "openai", "OPENAI_API_KEY": "x", **SERVED}, '{"starter": {"openai": "its model"}}'),
        ({"MODEL_FALLBACK": "openai", "OPENAI_API_KEY": "x"}, "set ML_TEXT_URL"),
        ({"MODEL_FALLBACK": "custom", "MODEL_PROVIDER": "openai", "OPENAI_API_KEY": "x"}, "needs ML_TEXT_URL"),
        ({"MODEL_SHADOW": "custom", **SERVED}, "MODEL_SHADOW=custom is who answers already"),
        ({"MODEL_SHADOW_RATE": "1.5"}, "model_shadow_rate"),
        ({"MODEL_ALIASES": "/nonexistent.json"}, "MODEL_ALIASES"),
        ({"PRICES": "/nonexistent.json"}, "price table"),
        ({"GATEWAY_PORT": "many"}, "gateway_port"),
        ({"GATEWAY_HOST": "0.0.0.0"}, "gateway.keys create"),
        ({"GATEWAY_HOST": "example.test"}, "gateway.keys create"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    env: dict[str, str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (env | {"DATA_DIR": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("gateway.main.configure_logging", lambda level: None)  # it would replace pytest's handlers
    assert main() == 2
    assert said in capsys.readouterr().err


def test_a_key_opens_other_addresses(tmp_path: Path) -> None:
    keys = KeyStore(connect(tmp_path / "gateway.db"))
    for host in ("127.0.0.1", "::1", "localhost"):
        check_host(host, keys)
    with pytest.raises(ValueError, match=r"0\.0\.0\.0"):
        check_host("0.0.0.0", keys)
    keys.create("first", {})
    check_host("0.0.0.0", KeyStore(connect(tmp_path / "gateway.db")))


def test_settings_read_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ML_SERVICE_URL", "http://a:1, http://b:2")
    monkeypatch.setenv("DESIGN_MODEL_META", "ft:meta")
    monkeypatch.setenv("CORS_ORIGINS", "https://x.test,https://y.test")
    monkeypatch.setenv("MODEL_PROVIDER", "OpenAI")
    monkeypatch.setenv("MODEL_PROVIDER_TEXT", "custom")
    monkeypatch.setenv("ML_IMAGE_URL", "http://c:3")
    monkeypatch.setenv("MODEL_IMAGE", "starter-image")
    monkeypatch.setenv("LIMIT_IMAGES", "5")
    settings = Settings()
    assert settings.of("text").urls == ("http://a:1", "http://b:2")
    assert settings.design_model == {"meta": "ft:meta"}
    assert settings.cors_origins == ("https://x.test", "https://y.test")
    assert [settings.model_provider, *map(settings.provider, ("text", "image"))] == ["openai", "custom", "openai"]
    assert (settings.of("image").urls, settings.of("image").model) == (("http://c:3",), "starter-image")
    assert (settings.limit.images, settings.limit.tokens) == (5, None)
    assert len(Settings.model_fields) <= 25


def test_the_openai_key_is_never_printed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, openai_api_key=SecretStr("sk-secret"))
    assert "sk-secret" not in repr(settings)


class TestCors:
    @pytest.fixture
    def client(self, tmp_path: Path) -> Any:
        KeyStore(connect(tmp_path / "gateway.db")).create("only", {})
        with TestClient(create_gateway(Settings(data_dir=tmp_path, cors_origins=("https://front.test",)))) as client:
            yield client

    def test_a_preflight_needs_no_key(self, client: TestClient) -> None:
        asked = {"origin": "https://front.test", "access-control-request-method": "POST"}
        answer = client.options("/v1/chat/completions", headers=asked)
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "https://front.test"

    def test_errors_can_be_read_by_the_front_end(self, client: TestClient) -> None:
        answer = client.post("/v1/chat/completions", headers={"origin": "https://front.test"}, json={})
        assert answer.status_code == 401 and answer.headers["access-control-allow-origin"] == "https://front.test"

    def test_other_origins_may_not(self, client: TestClient) -> None:
        answer = client.get("/health", headers={"origin": "https://evil.test"})
        assert "access-control-allow-origin" not in answer.headers
