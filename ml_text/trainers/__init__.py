"""TRAINERS: name -> one method of training. A row here is the command line, the job and the form."""

from ml_text.trainers import contrastive, dpo, lora, scratch, sft
from shared.training.launch import Trainer

TRAINERS: dict[str, Trainer] = {
    "scratch": Trainer(scratch.Args, scratch.main, "a new model and tokenizer, from random weights"),
    "lora": Trainer(lora.Args, lora.main, "a small adapter on a base model; with --quantize nf4 it is QLoRA"),
    "sft": Trainer(sft.Args, sft.main, "all weights of a model, on prompts with their answers, chats or plain text"),
    "dpo": Trainer(dpo.Args, dpo.main, "preference pairs: of two answers, the better one becomes likelier"),
    "contrastive": Trainer(contrastive.Args, contrastive.main, "an embedding model, from pairs that belong together"),
}
