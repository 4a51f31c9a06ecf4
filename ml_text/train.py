"""python -m ml_text.train [METHOD] [--model NAME] [--use-lora] --dataset FILE… [options]: picks from TRAINERS.

Without METHOD, `--use-lora` means lora, no `--model` scratch, else it is sft; `--quick-start` is five minutes with
small settings. On several processors or machines: `accelerate launch … -m ml_text.train …`. Exit status: 0 done, 2 bad
arguments or data, 130 and 143 stopped by Ctrl-C and SIGTERM after a checkpoint was written.
"""

import sys
from functools import partial

from ml_text.settings import TextSettings
from ml_text.trainers import TRAINERS
from shared.training import launch

PROGRAM = launch.Program(
    "ml_text.train",
    __doc__,
    TRAINERS,
    TextSettings,
    read_method=partial(launch.first_or_implied, of_a_model="sft"),
    less_memory="--batch-size 1, --sequence-length, --gradient-checkpointing, --use-lora with --quantize nf4",
)

if __name__ == "__main__":
    sys.exit(launch.run(PROGRAM, sys.argv[1:]))
