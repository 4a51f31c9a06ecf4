"""From `make up` on an installed .venv to the first answered request for a design. Goal: 20 s at most.

python -m benchmarks.startup [RUNS]
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.machine import describe, table

ROOT = Path(__file__).resolve().parent.parent
GOAL_S = 20.0
GIVE_UP_S = 180.0
BRIEF = {"prompt": "Coffee place called Blue Door, 20% off", "platform": "instagram", "format": "square"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    """Whether the gateway answers a design now; an answer that is not a design raises."""
    request = urllib.request.Request(
        f"{url}/api/v1/designs", json.dumps(BRIEF).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=GIVE_UP_S) as answer:
            return bool(json.load(answer)["design"]["elements"])
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return False
        raise SystemExit(f"no design: {error.code} {error.read().decode()}") from error
    except (urllib.error.URLError, ConnectionError):
        return False


def measure() -> float:
    """Seconds of one start, whose processes are ended before it returns."""
    with tempfile.TemporaryDirectory() as data:
        ports = {"GATEWAY_PORT": str(free_port()), "ML_TEXT_PORT": str(free_port()), "DATA_DIR": data}
        began = time.monotonic()
        process = subprocess.Popen(
            ["make", "up"],
            cwd=ROOT,
            env=os.environ | ports,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while not answers(f"http://127.0.0.1:{ports['GATEWAY_PORT']}"):
                if process.poll() is not None or time.monotonic() - began > GIVE_UP_S:
                    raise SystemExit("the suite did not come up; `make up` says why")
                time.sleep(0.05)
            return time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows = [
        [run + 1, seconds, GOAL_S, "yes" if seconds <= GOAL_S else "NO"]
        for run in range(runs)
        for seconds in [measure()]
    ]
    print(describe())
    print(table(["run", "`make up` to the first design, s", "goal, s", "reached"], rows))


if __name__ == "__main__":
    main()
