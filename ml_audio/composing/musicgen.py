"""MusicGen (https://arxiv.org/abs/2306.05284): words to the codes of a neural codec, frame by frame.

A piece that is longer than the model's context is made in windows: each hears the end of what there is and goes on.
"""

from typing import Any

import torch

from ml_audio.composing.composer import Made, Piece
from ml_audio.speaking.speaker import dice
from ml_audio.weights import Loading, load_model, load_tokenizer
from shared.errors import InvalidRequest

SHORTEST_S, LONGEST_S = 1.0, 300.0
KEPT = 1 / 3
"""Of the context: what a window hears of the one before."""
FADE_S = 0.02
"""From one window's sound to the next one's, which is not quite the same where they overlap."""
KEYS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
TINY: dict[str, Any] = {
    "text_encoder": {
        "model_type": "t5", "vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2,
    },
    "audio_encoder": {
        "model_type": "encodec", "sampling_rate": 8000, "upsampling_ratios": [8, 8, 5], "num_filters": 4,
        "hidden_size": 8, "codebook_size": 16, "target_bandwidths": [0.4], "num_lstm_layers": 1,
    },
    "decoder": {
        "vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 32,
        "num_codebooks": 4, "max_position_embeddings": 48, "pad_token_id": 16, "bos_token_id": 16,
    },
}  # fmt: skip


def describe(piece: Piece) -> str:
    """The prompt, and behind it what was asked for by fields, in such words as the model was trained on."""
    said = piece.fields
    parts = [piece.prompt.strip().rstrip(".,"), said.get("mood"), said.get("style")]
    if "tonic" in said:
        parts.append(f"in {KEYS[said['tonic']]} {said['mode']}")
    if "tempo_bpm" in said:
        parts.append(f"{said['tempo_bpm']:g} bpm")
    if "meter" in said:
        parts.append(f"{said['meter']} time")
    if "instruments" in said:
        parts.append(f"with {' and '.join(said['instruments'])}")
    return ", ".join(part for part in parts if part)


class MusicGen:
    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        codec, decoder, how = model.config.audio_encoder, model.config.decoder, model.generation_config
        self.sample_rate_hz: int = codec.sampling_rate
        self.hop: int = codec.hop_length
        self.delay: int = decoder.num_codebooks // decoder.audio_channels
        """Frames: each codebook runs one behind the one before it."""
        positions = decoder.max_position_embeddings
        self.context: int = min(how.max_length or positions, positions) - self.delay
        how.max_length = None  # else it is the length of every piece

    def compose(self, piece: Piece) -> Made:
        if piece.midi:
            raise InvalidRequest("MusicGen makes sound and writes no notes", param="response_format")
        if not SHORTEST_S <= piece.duration_s <= LONGEST_S:
            raise InvalidRequest(
                f"{piece.duration_s:g} seconds are not within {SHORTEST_S:g} and {LONGEST_S:g}", param="duration"
            )
        words = self.tokenizer(describe(piece), return_tensors="pt").to(self.model.device)
        asked = {"input_ids": words["input_ids"], "attention_mask": words["attention_mask"]}
        asked |= {"do_sample": True, "temperature": piece.temperature} if piece.temperature else {"do_sample": False}
        size = round(piece.duration_s * self.sample_rate_hz)
        with dice(piece.seed):
            made = self._generate(asked, -(-size // self.hop))
            while made.shape[-1] < size:
                made = self._go_on(made, asked, -(-size // self.hop))
        return Made(made[0, :, :size].T.float().cpu().numpy(), self.sample_rate_hz)

    def _go_on(self, made: torch.Tensor, asked: dict[str, Any], frames: int) -> torch.Tensor:
        """`made`, (1, channels, T), and a window more."""
        kept = int(self.context * KEPT)
        heard = made[..., -kept * self.hop :]
        wanted = frames - made.shape[-1] // self.hop
        window = self._generate({**asked, "input_values": heard}, wanted, kept)
        fade = int(FADE_S * self.sample_rate_hz)
        rising = torch.linspace(0, 1, fade, device=made.device, dtype=made.dtype)
        end = heard.shape[-1]
        joint = heard[..., -fade:] * (1 - rising) + window[..., end - fade : end] * rising
        return torch.cat([made[..., :-fade], joint, window[..., end:]], dim=-1)

    def _generate(self, asked: dict[str, Any], frames: int, kept: int = 0) -> torch.Tensor:
        """(1, channels, T): `kept` frames that it heard, and `frames` more, or as many as the context holds."""
        new = min(frames, self.context - kept)
        return self.model.generate(**asked, max_new_tokens=new + self.delay - 1)


def load(how: Loading) -> MusicGen:
    from transformers import MusicgenForConditionalGeneration

    return MusicGen(how.adapt(load_model(MusicgenForConditionalGeneration, how)), load_tokenizer(how.folder))
