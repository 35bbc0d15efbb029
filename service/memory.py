"""What a serving process asks of its memory: nothing kept that is not used, and nothing looked through that stays."""

import contextlib
import ctypes
import gc
import os
import sys

# Freed memory of this size goes back to the machine at once. glibc would learn to keep it after the first large array: 40 MB of
# every worker's own over a million items. What is smaller is in the heap; at 4 MB a version's arrays were there too, and where
# one no longer found room between small objects the heap grew by it for good.
LARGE_BYTES = 2**19
# Strings that make Python's table of interned ones, in which some 40,000 are once a server is there, grow to its next size.
NAMES_TO_COME = 10_000
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h


def share_one_heap() -> None:
    """Let all threads take from one heap, and freed memory of large arrays go back to the machine; before there are threads.

    glibc gives each thread a heap of its own. A version is opened in one thread and asked from others, so what one swap leaves
    free in a heap is not what the next one looks for, and hundreds of swaps later each holds a little more. Threads that hold
    the interpreter's lock never wait for the heap's.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, 1)
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def let_small_go() -> None:
    """Let processes that are started from here give back freed memory of small objects too, by the page.

    Python's own allocator gives a megabyte back once nothing in it is used any more; what requests and versions leave in use
    lies scattered, and hundreds of swaps later holds megabytes. It is chosen before a process starts, so a server that is one
    process itself has to be started with it: PYTHONMALLOC=malloc and MALLOC_ARENA_MAX=1, as in the image and the unit.
    """
    os.environ.setdefault("PYTHONMALLOC", "malloc")
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")  # `share_one_heap` from the first thread on


def give_back() -> None:
    """Give back to the machine what has been freed in between what is used, as a model's going leaves behind; milliseconds.

    A request that failed leaves an error and its frames, which hold each other and the model it was asked of. The garbage
    collector would find them minutes later, once they are old.
    """
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def make_room_for_names() -> None:
    """Let Python's table of interned strings grow by a megabyte now: it would do so once, minutes or days later.

    Strings that come and go, as the parts of paths do, use it up, and what takes its place is never smaller.
    """
    names = [sys.intern(f"macrid, name {number}") for number in range(NAMES_TO_COME)]
    names.clear()


def keep_for_good() -> None:
    """Let the garbage collector never look at what is there now.

    Modules and routes are a hundred thousand objects that live as long as the process. To look through all of them stops every
    request for a tenth of a second, and opening a few models is enough to make Python do so.
    """
    gc.collect()
    gc.freeze()
