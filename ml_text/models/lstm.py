"""A language model without attention: layers of LSTM cells, whose state is all that it remembers.

LSTM: https://doi.org/10.1162/neco.1997.9.8.1735. As a language model with dropout and tied embeddings: AWD-LSTM,
https://arxiv.org/abs/1708.02182. Residual layers with the norm first are today's habit
(https://arxiv.org/abs/2002.04745); without them four layers learn more slowly than one.

B rows, T tokens, C width, V vocabulary, L layers.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast


class LstmConfig(PreTrainedConfig):
    model_type = "lstm"

    vocab_size: int = 10_000
    hidden_size: int = 256
    num_hidden_layers: int = 4
    dropout: float = 0.0
    max_position_embeddings: int = 2048
    """The most tokens of one request. The cells would go on, but what they remember fades within a few hundred."""
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    tie_word_embeddings: bool = True
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None


@dataclass
class LstmState:
    """What the model remembers of the tokens before: `hidden` and `cell`, (L, B, C) each."""

    hidden: Tensor
    cell: Tensor
    is_compileable = False

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Row i goes on from what row `beam_idx[i]` was."""
        self.hidden, self.cell = self.hidden[:, beam_idx], self.cell[:, beam_idx]


class LstmLayer(nn.Module):
    """x + W · LSTM(norm(x)). W mixes the cells' outputs, and is what LoRA adapts."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.cells = nn.LSTM(width, width, batch_first=True)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor, restarts: "Restarts") -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, C), hidden and cell (B, C) each; the same three after T tokens."""
        normed = self.norm(x)
        # oneDNN's LSTM in bfloat16 takes twice the time of float32
        with torch.autocast(x.device.type, enabled=False):
            normed = normed.to(self.cells.weight_hh_l0.dtype)
            state = (hidden[None].to(normed.dtype), cell[None].to(normed.dtype))
            pieces: list[Tensor] = []
            for start, end, keep in restarts:
                if keep is not None:
                    state = (state[0] * keep, state[1] * keep)
                piece, state = self.cells(normed[:, start:end], (state[0].contiguous(), state[1].contiguous()))
                pieces.append(piece)
        made = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)
        return x + self.dropout(self.out_proj(made.to(x.dtype))), state[0][0], state[1][0]


Restarts = list[tuple[int, int, Tensor | None]]
"""(start, end, keep): from column `start` on, rows whose `keep` (B, 1) is 0 begin anew. None: all go on."""


def restarts_of(position_ids: Tensor | None, length: int, dtype: torch.dtype) -> Restarts:
    """Where samples begin in packed rows: `position_ids` (B, T) are 0 there. A cell's state must not pass."""
    if position_ids is None:
        return [(0, length, None)]
    begins = position_ids == 0  # (B, T)
    starts = sorted({0, *begins.any(0).nonzero().flatten().tolist()})
    return [
        (start, end, (~begins[:, start, None]).to(dtype) if start or bool(begins[:, 0].any()) else None)
        for start, end in zip(starts, [*starts[1:], length], strict=True)
    ]


class LstmPreTrainedModel(PreTrainedModel):
    config_class = LstmConfig
    base_model_prefix = "model"
    _no_split_modules = ["LstmLayer"]  # noqa: RUF012 (transformers' own form)
    _is_stateful = True
    _supports_sdpa = True  # nothing attends, so any way of attending will do

    def _init_weights(self, module: nn.Module) -> None:
        """Recurrent matrices orthogonal and forget gates open, so that memory lasts from the start
        (https://proceedings.mlr.press/v37/jozefowicz15.html); the rest as transformers does."""
        super()._init_weights(module)
        if isinstance(module, nn.LSTM):
            width = module.hidden_size
            weights = dict(module.named_parameters())
            nn.init.normal_(weights["weight_ih_l0"], std=width**-0.5)
            for gate in weights["weight_hh_l0"].split(width):
                nn.init.orthogonal_(gate)
            nn.init.ones_(weights["bias_hh_l0"][width : 2 * width])  # torch's order: input, forget, cell, output


class LstmModel(LstmPreTrainedModel):
    """Token ids to states, without the output layer."""

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(LstmLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: LstmState | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        use_cache: bool | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """`input_ids` (B, T) after `past_key_values`. Where `position_ids` (B, T) are 0 a row forgets what was before.

        Padding stands at the end of a row, where nothing follows that it could disturb: `attention_mask` is not read.
        """
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, C)
        state = past_key_values or self.empty_state(len(x))
        restarts = restarts_of(position_ids, x.shape[1], state.hidden.dtype)
        x = self.dropout(x)
        hiddens: list[Tensor] = []
        cells: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            x, hidden, cell = layer(x, state.hidden[number], state.cell[number], restarts)
            hiddens.append(hidden)
            cells.append(cell)
        after: Any = LstmState(torch.stack(hiddens), torch.stack(cells)) if use_cache is not False else None
        return BaseModelOutputWithPast(last_hidden_state=self.norm(x), past_key_values=after)

    def empty_state(self, rows: int) -> LstmState:
        """Nothing remembered: zeros."""
        weight = self.embed_tokens.weight
        zeros = weight.new_zeros(self.config.num_hidden_layers, rows, self.config.hidden_size)
        return LstmState(zeros, zeros)


class LstmForCausalLM(LstmPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: LstmConfig) -> None:
        super().__init__(config)
        self.model = LstmModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # `generate` starts without a state and takes the one that `forward` returns

    def forward(
        self,
        input_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: LstmState | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int = 0,
        **more: Any,
    ) -> CausalLMOutputWithPast:
        """As `LstmModel.forward`; logits (B, T, V), or of the last `logits_to_keep` positions alone. With `labels`
        (B, T), shifted here, the mean cross-entropy too."""
        output = self.model(input_ids, position_ids, past_key_values, **more)
        logits = self.lm_head(output.last_hidden_state[:, -logits_to_keep:])
        loss = None if labels is None else self.loss_function(logits, labels, self.config.vocab_size)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=output.past_key_values)
