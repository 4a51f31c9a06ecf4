"""TRAINERS: name -> one method of training. A row here is the command line, the job and the form."""

from ml_audio.trainers import music, pronouncer, recogniser, recogniser_scratch, vocoder, voice, voice_scratch, wavenet
from shared.training.launch import Trainer

TRAINERS: dict[str, Trainer] = {
    "voice": Trainer(
        voice.Args, voice.main, "a voice of your own from clips with transcripts; with --quantize nf4 QLoRA"
    ),
    "recogniser": Trainer(
        recogniser.Args, recogniser.main, "a recogniser for your speakers and words, from such clips"
    ),
    "music": Trainer(music.Args, music.main, "music, from a folder of MIDI files: a new model, or one that goes on"),
    "voice-scratch": Trainer(voice_scratch.Args, voice_scratch.main, "a voice from random weights"),
    "recogniser-scratch": Trainer(recogniser_scratch.Args, recogniser_scratch.main, "a recogniser from random weights"),
    "vocoder-scratch": Trainer(vocoder.Args, vocoder.main, "what makes sound of a voice's spectrograms"),
    "pronouncer-scratch": Trainer(pronouncer.Args, pronouncer.main, "what makes phonemes of a voice's text"),
    "wavenet-scratch": Trainer(wavenet.Args, wavenet.main, "sound sample by sample, from a folder of recordings"),
}
