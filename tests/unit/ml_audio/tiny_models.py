"""Tiny random models of each family, made in the test: nothing is downloaded."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ml_audio.composing import musicgen
from ml_audio.hearing import ctc, whisper
from ml_audio.models import voice as voices
from ml_audio.models.pronouncer import Pronouncer, PronouncerConfig
from ml_audio.models.spectrogram import Scale
from ml_audio.models.vocoder import Vocoder, VocoderConfig
from ml_audio.speaking import bark, csm, dia, speecht5, vits

LETTERS = "_ abcdefghijklmnopqrstuvwxyz'-"
CTC_LETTERS = "|'ABCDEFGHIJKLMNOPQRSTUVWX"
HOW = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
PHONEMES = ["a", "e", "i", "o", "u", "t", "n", "s", ",", "."]


def save_vits(folder: Path, **config: Any) -> None:
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    VitsModel(VitsConfig(**{**vits.TINY, **config})).save_pretrained(folder)
    vocabulary = write_vocabulary(folder, LETTERS)
    VitsTokenizer(
        vocabulary, pad_token="_", unk_token="_", is_uroman=False, phonemize=False, normalize=True
    ).save_pretrained(folder)


def save_fastspeech2(folder: Path, speakers: int = 1) -> None:
    """One of this project's."""
    from transformers import FastSpeech2ConformerModel

    config = voices.acoustic_config("tiny", len(PHONEMES) + 2, speakers, 80)
    model = FastSpeech2ConformerModel(config)
    with torch.no_grad():  # else no phoneme lasts a frame
        model.duration_predictor.linear.bias.fill_(2.0)
    names = [voices.PAD, voices.UNKNOWN, *PHONEMES]
    scale = Scale([-5.0] * 80, [2.0] * 80, 5.0, 0.3, 0.0, 1.0)
    vocoder = Vocoder(VocoderConfig(scale, channels=16, hidden=32, layers=1))
    pronouncer = Pronouncer(PronouncerConfig(PHONEMES, channels=16, heads=2, hidden=32, layers=1))
    own = voices.Voice(model.eval(), vocoder.eval(), pronouncer.eval(), names, [f"v{i}" for i in range(speakers)])
    own.save_pretrained(folder)


def save_speecht5(folder: Path, **config: Any) -> None:
    import sentencepiece
    from transformers import (
        SpeechT5Config,
        SpeechT5FeatureExtractor,
        SpeechT5ForTextToSpeech,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
        SpeechT5Processor,
        SpeechT5Tokenizer,
    )

    made = SpeechT5ForTextToSpeech(SpeechT5Config(**{**speecht5.TINY, **config}))
    made.save_pretrained(folder)
    hifigan = SpeechT5HifiGanConfig(
        model_in_dim=8, upsample_initial_channel=16, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
    )  # fmt: skip
    SpeechT5HifiGan(hifigan).save_pretrained(folder / "vocoder")
    text = folder / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "letters"), vocab_size=38, model_type="char", minloglevel=2
    )
    tokenizer = SpeechT5Tokenizer(str(folder / "letters.model"))
    SpeechT5Processor(SpeechT5FeatureExtractor(num_mel_bins=8), tokenizer).save_pretrained(folder)
    speakers = {"ann": torch.randn(8), "bob": torch.randn(8)}
    save_file(speakers, folder / speecht5.SPEAKERS)


def save_ctc(folder: Path, **config: Any) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC, Wav2Vec2Processor

    Wav2Vec2ForCTC(Wav2Vec2Config(**{**ctc.TINY, "pad_token_id": 0, **config})).save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    Wav2Vec2Processor(extractor, ctc_tokenizer(folder)).save_pretrained(folder)


def save_ctc_bert(folder: Path) -> None:
    """One of this project's."""
    from ml_audio.models.recogniser import ALPHABET, Recogniser, build

    Recogniser(build("tiny", len(ALPHABET)), ALPHABET, 3).save_pretrained(folder)


def ctc_tokenizer(folder: Path) -> Any:
    from transformers import Wav2Vec2CTCTokenizer

    return Wav2Vec2CTCTokenizer(write_vocabulary(folder, ["<pad>", "<s>", "</s>", "<unk>", *CTC_LETTERS]))


def write_vocabulary(folder: Path, tokens: Any) -> str:
    path = folder / "vocab.json"
    path.write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    return str(path)


def save_whisper(folder: Path, **config: Any) -> None:
    from tokenizers import AddedToken, pre_tokenizers
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    special = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev"]
    marks = [f"<|{name}|>" for name in [*special, "nospeech", "notimestamps"]]
    times = [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: i for i, token in enumerate([*letters, *marks, *times])}
    tokenizer = WhisperTokenizer(vocab=dict(ids), merges=[], language="en", task="transcribe")
    tokenizer.add_special_tokens({"additional_special_tokens": marks[1:]})
    tokenizer.add_tokens([AddedToken(time, special=True) for time in times])
    end = ids["<|endoftext|>"]
    fields = {"vocab_size": len(ids), "pad_token_id": end, "bos_token_id": end, "eos_token_id": end}
    made = WhisperConfig(**{**whisper.TINY, **fields, "decoder_start_token_id": ids["<|startoftranscript|>"], **config})
    model = WhisperForConditionalGeneration(made)
    how = GenerationConfig(**{name: getattr(made, name) for name in HOW})
    how.no_timestamps_token_id, how.prev_sot_token_id = ids["<|notimestamps|>"], ids["<|startofprev|>"]
    how.lang_to_id = {name: ids[name] for name in ("<|en|>", "<|de|>")}
    how.task_to_id = {name: ids[f"<|{name}|>"] for name in ("transcribe", "translate")}
    how.is_multilingual, how.alignment_heads, how.max_length = True, [[1, 0], [1, 1]], 44
    how.max_initial_timestamp_index = 50
    model.generation_config = how
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=80), tokenizer).save_pretrained(folder)


def save_music(folder: Path) -> None:
    from ml_audio.music.model import build
    from ml_audio.music.model import save as save_notes

    save_notes(build(32, 1, 2, 64), folder)


def save_letters(folder: Path, **special: str) -> Any:
    """A tokenizer of letters: padding is 0, `special` tokens (eos_token="</s>" …) and what it does not know follow."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {token: i for i, token in enumerate(["<pad>", *special.values(), "<unk>", *LETTERS[1:], *"[]0,.HS"])}
    letters = Tokenizer(models.WordLevel(ids, "<unk>"))
    letters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, pad_token="<pad>", unk_token="<unk>", **special)
    tokenizer.save_pretrained(folder)
    return tokenizer


def fill_codebooks(codec: Any) -> None:
    """They begin as zeros, with which all codes sound alike."""
    for name, buffer in codec.named_buffers():
        if name.endswith(("codebook.embed", "codebook.embed_sum")):
            buffer.normal_()


def save_musicgen(folder: Path, **config: Any) -> None:
    from transformers import MusicgenConfig, MusicgenForConditionalGeneration

    model = MusicgenForConditionalGeneration(MusicgenConfig(**{**musicgen.TINY, **config}))
    fill_codebooks(model.audio_encoder)
    how, silence = model.generation_config, model.config.decoder.pad_token_id
    how.pad_token_id = how.bos_token_id = how.decoder_start_token_id = silence
    how.do_sample, how.guidance_scale = True, 3.0
    model.save_pretrained(folder)
    save_letters(folder, eos_token="</s>")


def save_bark(folder: Path, **config: Any) -> None:
    from transformers import BarkConfig, BarkModel

    model = BarkModel(BarkConfig(**{**bark.TINY, **config}))
    fill_codebooks(model.codec_model)
    semantic = {
        "eos_token_id": 20, "max_new_tokens": 16, "text_encoding_offset": 24, "text_pad_token": 98,
        "semantic_infer_token": 99, "semantic_vocab_size": 20, "max_input_semantic_length": 128, "do_sample": True,
    }  # fmt: skip
    coarse = {
        "coarse_semantic_pad_token": 52, "coarse_infer_token": 54, "max_coarse_input_length": 32,
        "max_coarse_history": 48, "sliding_window_len": 20, "do_sample": True,
    }  # fmt: skip
    fine = {"max_fine_history_length": 16, "max_fine_input_length": 32, "n_fine_codebooks": 4, "temperature": 0.5}
    how = {"semantic_config": semantic, "coarse_acoustics_config": coarse, "fine_acoustics_config": fine}
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(how | {"codebook_size": 16, "sample_rate": 8000}))
    save_letters(folder)


def save_csm(folder: Path, **config: Any) -> None:
    from transformers import CsmConfig, CsmForConditionalGeneration

    model = CsmForConditionalGeneration(CsmConfig(**{**csm.TINY, **config}))
    fill_codebooks(model.codec_model)
    for how in (model.generation_config, model.depth_decoder.generation_config):
        how.do_sample, how._from_model_config = True, False
    model.save_pretrained(folder)
    heard = {"audio_token": "<|AUDIO|>", "audio_eos_token": "<|audio_eos|>"}
    save_letters(folder, bos_token="<s>", eos_token="</s>", **heard)


def save_dia(folder: Path, **config: Any) -> None:
    from transformers import DacConfig, DacModel, DiaConfig, DiaForConditionalGeneration, DiaTokenizer

    model = DiaForConditionalGeneration(DiaConfig(**{**dia.TINY, **config}))
    how = model.generation_config
    how.do_sample, how.guidance_scale, how.top_k, how.temperature = True, 3.0, 50, 1.8
    model.save_pretrained(folder)
    codec = DacModel(DacConfig(**dia.TINY_CODEC))
    for quantizer in codec.quantizer.quantizers:
        torch.nn.init.normal_(quantizer.codebook.weight)
        torch.nn.init.normal_(quantizer.out_proj.weight)
    codec.save_pretrained(folder / "codec")
    DiaTokenizer().save_pretrained(folder)


SAVE = {
    "csm": save_csm,
    "dia": save_dia,
    "bark": save_bark,
    "llama": save_music,
    "musicgen": save_musicgen,
    "vits": save_vits,
    "fastspeech2_conformer": save_fastspeech2,
    "speecht5": save_speecht5,
    "wav2vec2": save_ctc,
    "wav2vec2-bert": save_ctc_bert,
    "whisper": save_whisper,
}


def save(family: str, folder: Path, seed: int = 0, **config: Any) -> Path:
    """A model of `family` in `folder`, its weights from `seed`."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    SAVE[family](folder, **config)
    return folder
