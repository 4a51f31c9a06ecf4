"""No GPU is given to two jobs, whoever asks; on a CPU a worker has as many places as it may."""

import os
import subprocess
import sys
from pathlib import Path

from shared.jobs.slots import Slots


def test_a_gpu_is_taken_once_among_all_workers(tmp_path: Path):
    one, other = Slots(tmp_path, 1, ["GPU-a", "GPU-b"]), Slots(tmp_path, 1, ["GPU-a", "GPU-b"])
    first, second = one.take(), other.take()
    assert first is not None and second is not None
    assert [first.name, second.name] == ["GPU-a", "GPU-b"]
    assert second.environment == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert one.take() is None and other.take() is None
    one.give_back(first)
    again = other.take()
    assert again is not None and again.name == "GPU-a"


def test_a_gpu_stays_taken_while_the_job_lives_that_ran_there(tmp_path: Path):
    slots = Slots(tmp_path, 1, ["GPU-a"])
    slot = slots.take()
    assert slot is not None and slot.fd is not None
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[slot.fd])
    slots.give_back(slot)  # its worker has lost sight of it
    assert slots.take() is None
    child.communicate(os.linesep.encode())
    assert slots.take() is not None


def test_a_cpu_has_as_many_places_as_it_may(tmp_path: Path):
    slots = Slots(tmp_path, 2, [])
    taken = [slots.take(), slots.take()]
    assert all(slot and slot.environment == {"CUDA_VISIBLE_DEVICES": ""} for slot in taken)
    assert slots.take() is None
    assert taken[0] is not None
    slots.give_back(taken[0])
    assert slots.take() is not None
