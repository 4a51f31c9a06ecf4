"""TRAINERS: name -> one method of training. A row here is the command line, the job and the form."""

from ml_image.trainers import decoder, lora, scratch
from shared.training.launch import Trainer

TRAINERS: dict[str, Trainer] = {
    "scratch": Trainer(scratch.Args, scratch.main, "a new model and tokenizer, from random weights"),
    "lora": Trainer(lora.Args, lora.main, "a small adapter on a base model; with --quantize nf4 it is QLoRA"),
    "decoder": Trainer(decoder.Args, decoder.main, "a sharper decoder for a model's latents"),
}
