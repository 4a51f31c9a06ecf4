"""python -m ml_audio.train METHOD [--model NAME] --dataset FOLDER… [options]: picks from TRAINERS.

A dataset is a folder of recordings with what is said in them (LJSpeech's metadata.csv, or an audiofolder's), or a zip
of one. `--quick-start` is five minutes with small settings. On several processors or machines: `accelerate launch … -m
ml_audio.train …`. Exit status: 0 done, 2 bad arguments or data, 130 and 143 stopped by Ctrl-C and SIGTERM after a
checkpoint was written.
"""

import sys

from ml_audio.settings import AudioSettings
from ml_audio.trainers import TRAINERS
from shared.training import launch

PROGRAM = launch.Program(
    "ml_audio.train",
    __doc__,
    TRAINERS,
    AudioSettings,
    read_method=lambda argv: (argv[0], argv[1:]),
    less_memory="a smaller --batch-size, shorter clips, --rank with --quantize nf4",
)

if __name__ == "__main__":
    sys.exit(launch.run(PROGRAM, sys.argv[1:]))
