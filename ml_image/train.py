"""python -m ml_image.train [METHOD] [--model NAME] [--use-lora] --dataset FOLDER… [options]: picks from TRAINERS.

Without METHOD, `--model` or `--use-lora` mean lora, else it is scratch; `--quick-start` is five minutes with small
settings. The dataset `scenes` is drawn by the project itself. On several processors or machines: `accelerate launch …
-m ml_image.train …`. Exit status: 0 done, 2 bad arguments or data, 130 and 143 stopped by Ctrl-C and SIGTERM after a
checkpoint was written.
"""

import sys
from functools import partial

from ml_image.settings import ImageSettings
from ml_image.trainers import TRAINERS
from shared.training import launch

PROGRAM = launch.Program(
    "ml_image.train",
    __doc__,
    TRAINERS,
    ImageSettings,
    read_method=partial(launch.first_or_implied, of_a_model="lora"),
    less_memory="--batch-size 1, --gradient-checkpointing, --resolution, --quantize nf4",
)

if __name__ == "__main__":
    sys.exit(launch.run(PROGRAM, sys.argv[1:]))
