"""Is stopped by Ctrl-C while the workers of a run start, later each time; says what was left."""

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from distributed import Status, Worker

from analysis.data import files
from workbook.running import execute

DELAYS = [0.001 * number for number in (1, 3, 5, 7, 10, 13, 16, 20, 25, 30, 40, 60)]


def stop_after(seconds):
    """Be stopped so soon after the workers began to start; return whether they were running."""
    threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGINT]).start()
    running = False
    try:
        with execute._client(2, ""):
            running = True
            while True:
                time.sleep(0.01)
    except KeyboardInterrupt:
        return running


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    for delay in DELAYS:
        os.environ[files.RUN_FOLDER] = ""
        running = stop_after(delay)
        files.drop_scratch()
        alive = [each for each in Worker._instances if each.status != Status.closed]
        print(running, len(alive), [each.name for each in Path(tempfile.gettempdir()).iterdir()])
