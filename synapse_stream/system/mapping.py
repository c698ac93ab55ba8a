"""Files mapped into memory without a descriptor.

`mmap.mmap` keeps a copy of the descriptor and closes it with the mapping. A process whose
descriptors were closed, as daemons do, would then close whatever has got that number since.
"""

from __future__ import annotations

import mmap
import os
import sys

_FIXED = 0x10  # MAP_FIXED, which Python does not name
_FAILED = -1


def map_file(descriptor: int, size: int, flags: int = 0) -> mmap.mmap:
    """Map the first `size` bytes, to be read and written, shared with all who map the file.

    Raises:
        OSError: it cannot be mapped.
    """
    flags |= mmap.MAP_SHARED
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size, flags, trackfd=False)
    if sys.platform != "linux":
        return mmap.mmap(descriptor, size, flags)
    return _map_over(mmap.mmap(_FAILED, size), descriptor, size, flags)


def _map_over(anonymous: mmap.mmap, descriptor: int, size: int, flags: int) -> mmap.mmap:
    """Put the file in the place of memory that has no descriptor."""
    import ctypes  # noqa: PLC0415 - until Python 3.13, which needs none of this

    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    call.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    ]  # fmt: skip
    address = ctypes.addressof(ctypes.c_char.from_buffer(anonymous))
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    if call(address, size, protection, flags | _FIXED, descriptor, 0) != address:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return anonymous
