"""Is the command `workbook` for each line of its input: a folder of notebooks, and words."""

import json
import signal
import sys
import traceback
from pathlib import Path

from workbook import cli, notebooks


def answer(line):
    """Do what a line says, and return the exit code."""
    folder, *sys.argv[1:] = json.loads(line)
    notebooks.FOLDER = Path(folder)
    try:
        cli.main()
    except SystemExit as end:
        return end.code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    for line in sys.stdin:
        print("exit", answer(line), flush=True)
