"""What every model service reads, each by its own prefix."""

from pathlib import Path

import pytest

from ml_audio.settings import AudioSettings
from ml_image.settings import ImageSettings
from ml_text.settings import TextSettings
from shared.settings import ServiceSettings

SERVICES: list[type[ServiceSettings]] = [TextSettings, ImageSettings, AudioSettings]


@pytest.mark.parametrize("settings", SERVICES)
def test_each_service_has_its_own_variables(
    settings: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    prefix = settings.model_config.get("env_prefix", "")
    monkeypatch.setenv(f"{prefix}IDLE_S", "7")
    monkeypatch.setenv(f"{prefix}MEMORY_MB", "")
    (tmp_path / ".env").write_text(f"{prefix}QUEUE_SIZE=3\n")
    read = settings()
    assert (read.idle_s, read.queue_size, read.memory_mb) == (7, 3, 0), "the environment, the file, the default"
    assert [other().idle_s for other in SERVICES if other is not settings] == [900, 900]


def test_ports_differ():
    assert len({settings.model_fields["port"].default for settings in SERVICES}) == len(SERVICES)


def test_the_token_and_the_data_folder_are_everybodys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for settings in SERVICES:
        read = settings()
        assert read.data_dir == tmp_path
        assert read.hf_token is not None and read.hf_token.get_secret_value() == "hf_secret"
        assert "hf_secret" not in repr(read)
