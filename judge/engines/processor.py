"""The processor: how many cores there are, and how torch is to use each."""

import ctypes
import os
import sys
from typing import Any


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_thread() -> None:
    """One thread for the products of the thread that calls this."""
    import torch

    torch.set_num_threads(1)


def give_back(weight: Any) -> None:
    """Give back the memory of weights that nobody may use any more.

    Those that lie in a mapped file would else stay in memory until the last of the file is freed: the model twice.
    """
    if sys.platform != "linux":
        return
    libc, page, not_needed = ctypes.CDLL(None), os.sysconf("SC_PAGE_SIZE"), 4
    begin = -(-weight.data_ptr() // page) * page
    length = (weight.data_ptr() + weight.nbytes) // page * page - begin
    if length > 0:
        libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), not_needed)


def spare_memory() -> None:
    """Have glibc give freed memory back at once, while weights are read: what is freed lies between what stays."""
    _tell_glibc(trim=1 << 17, mmap=1 << 16)


def keep_memory() -> None:
    """Have glibc keep freed memory: packs of a thousand tokens ran 8% faster when no layer faulted its pages in anew.
    Packs below five hundred gained nothing."""
    _tell_glibc(trim=(1 << 31) - 1, mmap=1 << 30)


def _tell_glibc(trim: int, mmap: int) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "gnu_get_libc_version"):
            for name, value in ((-1, trim), (-3, mmap), (-8, 1)):  # the last: one arena
                libc.mallopt(name, value)
