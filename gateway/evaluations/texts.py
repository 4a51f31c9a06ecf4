"""Providers by name, whoever answers as a rule."""

from typing import Any

from gateway.modality import Account
from gateway.model_adapter import build_model_adapter
from gateway.settings import Settings
from gateway.text import Text
from shared.errors import InvalidRequest
from shared.http import Transport


class Texts:
    """Each provider alone, built when it is first asked for: a fallback would blur who answered."""

    def __init__(self, settings: Settings, account: Account, transport: Transport | None) -> None:
        self.settings, self.account, self.transport = settings, account, transport
        self.built: dict[str, Text] = {}

    def get(self, provider: str | None) -> Text:
        """Raises InvalidRequest on `provider`, or UnsupportedByProvider."""
        usual = self.settings.provider("text")
        name = provider or usual
        if name not in self.built:
            changes: dict[str, Any] = {"provider": None}
            if name != usual:  # its default would be another provider's model
                changes["model"] = None
            text_alone = {"text": self.settings.of("text").model_copy(update=changes)}
            alone: dict[str, Any] = {"model_provider": name, "modalities": text_alone}
            alone |= {"model_fallback": None, "model_shadow": None}
            try:
                text = build_model_adapter(self.settings.model_copy(update=alone), self.transport).offered_text()
            except ValueError as error:
                raise InvalidRequest(str(error), param="provider") from error
            text.account_to(self.account)
            self.built[name] = text
        return self.built[name]

    async def close(self) -> None:
        for text in self.built.values():
            await text.close()
