"""A process that decodes and computes for the gateway, over stdin and stdout: `-m gateway.faces.child MEMORY_BYTES`.

What a stranger uploads is opened here and nowhere else: without the gateway's environment, with bounded memory, without
the right to write a file or to leave a core dump, and behind everyone else in the queue for the processor.
"""

import os
import resource
import sys
import traceback
from typing import BinaryIO

from gateway.faces import frames
from shared.errors import OutOfMemory, ServiceError, error_body

NICENESS = 15
"""On a machine with few cores the event loop must not wait for a composition: the kernel gives this 3 % beside it."""
NO_MEMORY = -4
"""OpenCV's StsNoMem."""


def confine(memory_bytes: int) -> None:
    # A Ctrl-C is for the gateway, which ends its children itself. A group, and no session: Linux shares the processor
    # between sessions first, and niceness would count for nothing (sched(7), autogroup).
    os.setpgid(0, 0)
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer one request after the other until the gateway closes its end."""
    from gateway.faces import work  # OpenCV is loaded under the limits

    frames.write(answered, {"ready": True})
    while (message := frames.read(asked)) is not None:
        told, blobs = message
        try:
            facts, made = work.JOBS[told.pop("job")](told, *blobs)
        except ServiceError as error:
            frames.write(answered, {"status": error.status, **error_body(error)})
        except Exception as error:
            if _ran_out(error):
                too_much = OutOfMemory("the picture needs more memory than one may take")
                frames.write(answered, {"status": too_much.status, **error_body(too_much)})
            else:
                frames.write(answered, {"bug": traceback.format_exc()})
        else:
            frames.write(answered, facts, made)


def _ran_out(error: Exception) -> bool:
    """Of memory, as Python, Pillow and numpy say it, as OpenCV does by its code, and as C++ does through OpenCV."""
    return isinstance(error, MemoryError) or getattr(error, "code", None) == NO_MEMORY or str(error) == "std::bad_alloc"


if __name__ == "__main__":
    confine(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up between the answers
    serve(sys.stdin.buffer, answers)
