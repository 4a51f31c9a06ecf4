"""A music model, from random weights or from one that exists, on a folder of MIDI files.

A GPT (Llama's classes, https://arxiv.org/abs/2302.13971) learns the next token of pieces written as in REMI
(https://arxiv.org/abs/2002.00212; see `ml_audio.music.tokens`). `python -m ml_audio.music.composer FOLDER` writes
pieces for the starter. Shapes: B rows, T tokens, C width, V vocabulary.
"""

import random
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ml_audio.data import pieces
from ml_audio.music import model as music_model
from ml_audio.music.brief import Brief, settle
from ml_audio.music.generate import generate_music, write_score
from ml_audio.music.interchange import to_midi
from ml_audio.music.synth.sound import SAMPLE_RATE_HZ
from ml_audio.settings import AudioSettings
from ml_audio.trainers.samples import shower
from ml_audio.trainers.starting import find_base, name_of
from shared.errors import ServiceError
from shared.training.attention import use_by_sample
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run
from shared.training.packing import IGNORED
from shared.training.settings import TrainingArgs

PRESETS: dict[str, dict[str, int]] = {
    "tiny": {"width": 16, "layers": 1, "heads": 2, "intermediate": 32},
    "starter": {"width": 160, "layers": 5, "heads": 5, "intermediate": 432},
    "small": {"width": 256, "layers": 6, "heads": 8, "intermediate": 704},
    "medium": {"width": 512, "layers": 8, "heads": 8, "intermediate": 1408},
    "large": {"width": 768, "layers": 12, "heads": 12, "intermediate": 2048},
}
RATES = {"new": 1.6e-3, "base": 6e-4}
PROMPT, SAMPLE_S = "happy pop with piano, bass and drums in C major", 8.0
"""What a run lets hear of itself."""
TOLERANCE = 2e-2
"""Of log-probabilities: half precision's rounding."""


class Unfaithful(ServiceError):
    """The saved model does not answer as the trained one."""

    default_code = "parity_failed"


class Args(TrainingArgs):
    QUICK: ClassVar[dict[str, Any]] = {**TrainingArgs.QUICK, "preset": "starter"}

    dataset: list[Path] = Field(min_length=1, description="folders of MIDI files, or zips of them")
    validation_dataset: list[Path] = Field(
        [], description="folders to choose the best checkpoint by, not held-out ones"
    )
    model: str | None = Field(None, description="go on from this music model; default: random weights")
    preset: Literal["tiny", "starter", "small", "medium", "large"] = Field("small", description="sizes of a new model")
    epochs: float = Field(10, gt=0, description="passes over the data")
    batch_size: int = Field(4, gt=0, description="packed rows per forward pass")
    sequence_length: int = Field(1024, ge=64, le=2048, description="tokens per packed row; longer pieces are cut")
    learning_rate: float = Field(0, ge=0, description="at its highest; 0: 1.6e-3 for a new model, 6e-4 from one")
    warmup_steps: int = Field(30, ge=0, description="steps until the learning rate is at its highest")
    save_dtype: Literal["float16", "float32"] = Field("float16", description="of the published weights")
    sounds: bool = Field(True, description="now and then a few seconds of music in the events")


class NextToken(nn.Module):
    """The summed cross-entropy over what is learnt."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, position_ids: Tensor, targets: Tensor) -> Tensor:
        hidden = self.model.model(input_ids=input_ids, position_ids=position_ids, use_cache=False).last_hidden_state
        learnt = targets != IGNORED
        return F.cross_entropy(self.model.lm_head(hidden[learnt]).float(), targets[learnt], reduction="sum")  # (N, V)


def main(args: Args, settings: AudioSettings) -> str:
    base = find_base(args.model, settings, "llama") if args.model else None
    name = name_of(args, base.name if base else "")
    folder = prepare_folder(args, settings.data_dir, name)
    torch.manual_seed(args.seed)
    model: Any = music_model.load(base.folder) if base else music_model.build(**PRESETS[args.preset])
    use_by_sample(model)
    prepared = pieces.prepare(args, folder)
    rate = args.learning_rate or RATES["base" if base else "new"]
    loss = NextToken(model.train())
    args = args.model_copy(update={"learning_rate": rate})
    show = shower(PROMPT, SAMPLE_RATE_HZ, lambda: generate_music(model, PROMPT, SAMPLE_S, seed=1)[0])
    show = show if args.sounds else None
    state = Run(args, loss, prepared.train, prepared.validation, folder, show=show).start()
    card = {
        "service": "audio",
        "trainer": "music",
        "dataset_sha256": prepared.sha256,
        "pieces": prepared.pieces,
        "skipped": prepared.skipped,
        "parameters": model.num_parameters(),
        **({"begun_from": base.name} if base else {}),
    }
    model.to(getattr(torch, args.save_dtype)).float().eval()  # compared as it is saved

    def save(target: Path) -> None:
        model.set_attn_implementation("sdpa")
        music_model.save(model.to(getattr(torch, args.save_dtype)), target)
        model.float()

    return finish(
        args, settings.data_dir, name, folder, state, save, card, lambda saved: check_same(model, saved, card)
    )


@torch.inference_mode()
def check_same(model: Any, folder: Path, card: dict[str, Any]) -> None:
    """Unfaithful when what is on disk foretells other tokens than what was trained."""
    brief = settle(Brief(), 4.0, random.Random(0))
    score = write_score(model, brief, 4.0, seed=0)
    ids = torch.tensor([pieces.sample(score).ids[:256].tolist()])
    trained, saved = (one(input_ids=ids).logits.log_softmax(-1) for one in (model, music_model.load(folder)))
    apart = float((trained - saved).abs().max())
    card["parity"] = {"checked": True, "apart": round(apart, 6)}
    if not apart <= TOLERANCE:
        raise Unfaithful(f"the saved model is {apart:.4g} off in its log-probabilities")
    (folder / "sample.mid").write_bytes(to_midi(score))
