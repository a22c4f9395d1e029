"""Processes that share the work of a simulation."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


def one_core_each(workers: int) -> ProcessPoolExecutor:
    """Start processes that keep to one core: with threads they would wait for each other.

    They import the caller's main module anew: a script must call this under
    `if __name__ == "__main__"`.
    """
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
