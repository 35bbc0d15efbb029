"""What a serving process asks of its memory allocator, where that is glibc's: nothing kept that is not used."""

import contextlib
import ctypes

# Freed memory of this size goes back to the machine. glibc would learn to keep it after the first large array: 40 MB of every
# worker's own over a million items.
LARGE_BYTES = 4 * 2**20
M_MMAP_THRESHOLD = -3  # malloc.h


def keep_large_apart() -> None:
    """Let freed memory of large arrays go back to the machine, for as long as the process lives."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Give back to the machine what has been freed in between what is used, as a model's going leaves behind; milliseconds."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
