"""An embedding model: texts that belong together get vectors that point the same way.

In-batch negatives (InfoNCE, https://arxiv.org/abs/1807.03748; for sentences https://arxiv.org/abs/1705.00652): in a
batch of B pairs each left text has to find its own right text among the B, and the other way round. Without `--model`
a BERT encoder (https://arxiv.org/abs/1810.04805) begins at random; with it, an encoder or a causal model goes on.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerBase

from ml_text import catalog, data, pairs
from ml_text.pooling import Pooling, read_pooling, write_pooling
from ml_text.settings import TextSettings
from ml_text.sources import Sources
from ml_text.tokenizer import train_tokenizer
from shared.errors import InvalidRequest
from shared.training.folder import finish, prepare_folder
from shared.training.loop import Run
from shared.training.processes import is_main, main_first
from shared.training.settings import TrainingArgs

Mode = Literal["mean", "cls", "lasttoken"]


class Args(TrainingArgs):
    model: str | None = Field(None, description="begin with this encoder or language model; default: at random")
    tokenizer: str | None = Field(None, description="without a model: take this model's tokenizer, not a new one")
    vocab_size: int = Field(8_000, ge=262, description="tokens of a new tokenizer")
    width: int = Field(192, gt=0, description="hidden size of a new encoder, which is the vectors' length")
    layers: int = Field(2, gt=0, description="blocks of a new encoder")
    heads: int = Field(4, gt=0, description="attention heads of a new encoder")
    pooling: Mode = Field("mean", description="what becomes of the tokens' states")
    temperature: float = Field(0.05, gt=0, description="cosines are divided by it: lower looks at the nearest only")

    epochs: float = Field(3, gt=0, description="passes over the data")
    batch_size: int = Field(64, gt=1, description="pairs that are told apart at once")
    sequence_length: int = Field(384, ge=8, description="tokens of a text; more are cut off")
    learning_rate: float = Field(1e-3, gt=0, description="at its highest; 2e-5 to 1e-4 for a model that exists")
    warmup_steps: int = Field(50, ge=0, description="steps until the learning rate is at its highest")
    weight_decay: float = Field(0.01, ge=0, description="on matrices")


class ContrastiveLoss(nn.Module):
    """The summed loss over the pairs of a batch, mean of both directions."""

    def __init__(self, model: nn.Module, pooling: Pooling, temperature: float) -> None:
        super().__init__()
        self.model, self.pooling, self.temperature = model, pooling, temperature

    def forward(self, left: Tensor, left_mask: Tensor, right: Tensor, right_mask: Tensor) -> Tensor:
        cosines = self._vectors(left, left_mask) @ self._vectors(right, right_mask).T  # (B, B)
        own = torch.arange(len(left), device=left.device)
        scores = cosines.float() / self.temperature
        return (F.cross_entropy(scores, own, reduction="sum") + F.cross_entropy(scores.T, own, reduction="sum")) / 2

    def _vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.pooling(self.model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)  # (B, C)


def build(args: Args, tokenizer: PreTrainedTokenizerBase) -> BertModel:
    """Random weights from the seed."""
    if args.width % args.heads:
        raise InvalidRequest(f"width {args.width} is no multiple of {args.heads} heads", param="heads")
    torch.manual_seed(args.seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=args.width,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        intermediate_size=4 * args.width,
        max_position_embeddings=args.sequence_length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertModel(config, add_pooling_layer=False)


def load(args: Args, settings: TextSettings, folder: Path, read: list[pairs.Pair]) -> tuple[Any, Any, Pooling]:
    """Model, tokenizer and pooling to begin with."""
    pooling = Pooling(modes=(args.pooling,))
    sources = Sources(settings)
    if args.model:
        source = sources.fetch(args.model)
        if source.base:
            raise InvalidRequest(f"{args.model} is an adapter; begin with its base {source.base}", param="model")
        model = catalog.load_encoder(source.folder, torch.float32)
        if (source.folder / "modules.json").is_file():
            pooling = read_pooling(source.folder)
        return model, catalog.load_tokenizer(source.folder), pooling
    if args.tokenizer:
        tokenizer = catalog.load_tokenizer(sources.fetch(args.tokenizer).folder)
    elif (args.resume or not is_main()) and (folder / "tokenizer" / "tokenizer.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    else:
        tokenizer = train_tokenizer(pairs.texts(read), args.vocab_size, args.sequence_length)
        tokenizer.save_pretrained(folder / "tokenizer")
    return build(args, tokenizer), tokenizer, pooling


def main(args: Args, settings: TextSettings) -> str:
    name = args.name or f"{args.dataset[0].stem}-embedding"
    with main_first():
        folder = prepare_folder(args, settings.data_dir, name)
        sha256 = data.digest(args.dataset)
        read = list(pairs.read(args.dataset, args.on_bad_row, data.Skipped()))
        if len(read) < 2:
            raise InvalidRequest(f"{len(read)} pairs are too few to tell apart", param="dataset")
        model, tokenizer, pooling = load(args, settings, folder, read)
    if pooling.dense:
        raise InvalidRequest(
            f"{args.model} has a dense layer behind its pooling, which is not trained here", param="model"
        )
    length = min(args.sequence_length, catalog.context_length(model.config))
    ids = pairs.encode(read, tokenizer, length)
    train, held_out = pairs.split(ids, args.validation_fraction, args.validation_records, args.seed)
    run = Run(args, ContrastiveLoss(model.train(), pooling, args.temperature), train, held_out, folder)
    state = run.start()

    def save(target: Path) -> None:
        model.to(torch.bfloat16).save_pretrained(target)
        tokenizer.save_pretrained(target)
        write_pooling(target, model.config.hidden_size, length, *pooling.modes)

    card = {"service": "text", "trainer": "contrastive", "dataset_sha256": sha256, "parameters": model.num_parameters()}
    return finish(args, settings.data_dir, name, folder, state, save, card)
