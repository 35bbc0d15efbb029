"""What a serving process asks of its memory: nothing kept that is not used, and nothing looked through that stays."""

import contextlib
import ctypes
import gc
import os

# Freed memory of this size goes back to the machine. glibc would learn to keep it after the first large array: 40 MB of every
# worker's own over a million items.
LARGE_BYTES = 4 * 2**20
M_MMAP_THRESHOLD = -3  # malloc.h


def keep_large_apart() -> None:
    """Let freed memory of large arrays go back to the machine, for as long as the process lives."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def let_small_go() -> None:
    """Let processes that are started from here give back freed memory of small objects too, by the page.

    Python's own allocator gives a megabyte back once nothing in it is used any more; what requests and versions leave in use
    lies scattered, and hundreds of swaps later holds megabytes. It is chosen before a process starts, so a server that is one
    process itself has to be started with it: PYTHONMALLOC=malloc, as in the image and the unit.
    """
    os.environ.setdefault("PYTHONMALLOC", "malloc")


def give_back() -> None:
    """Give back to the machine what has been freed in between what is used, as a model's going leaves behind; milliseconds.

    A request that failed leaves an error and its frames, which hold each other and the model it was asked of. The garbage
    collector would find them minutes later, once they are old.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_for_good() -> None:
    """Let the garbage collector never look at what is there now.

    Modules and routes are a hundred thousand objects that live as long as the process. To look through all of them stops every
    request for a tenth of a second, and opening a few models is enough to make Python do so.
    """
    gc.collect()
    gc.freeze()
