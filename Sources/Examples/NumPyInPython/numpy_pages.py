"""A NumPy array over pinned pages that the disk fills by direct I/O, without a copy.

    python3 numpy_pages.py [LIBRARY] [FOLDER]

LIBRARY is libuserpages.so.0, which is looked for where the system has its libraries. The file lies in FOLDER, /var/tmp by default.
"""

import ctypes
import os
import sys

import numpy as np

PAGE = 4096
PAGES = 512
ADDRESS = 0x40000000
READ, WRITE = 1, 2
MAP_HUGE = 2
ENGINE_SLOT = 2
PIN_WRITE = 1


class MachineOptions(ctypes.Structure):
    _fields_ = [("ram_pages", ctypes.c_uint64), ("movable_pages", ctypes.c_uint64),
                ("swap_pages", ctypes.c_uint64), ("swap_path", ctypes.c_char_p),
                ("span_pages", ctypes.c_uint64), ("flags", ctypes.c_uint), ("min_free_pages", ctypes.c_uint64),
                ("low_free_pages", ctypes.c_uint64), ("high_free_pages", ctypes.c_uint64)]


class Pins(ctypes.Structure):
    """`up_pins`: a plain value."""
    _fields_ = [("count", ctypes.c_uint64), ("words", ctypes.c_uint64 * 16)]


class Vector(ctypes.Structure):
    """`struct iovec`."""
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def checked(result, function, arguments):
    """Raises OSError for a negated errno value."""
    if result < 0:
        raise OSError(-result, f"{function.__name__}: {os.strerror(-result)}")
    return result


class Library:
    """The functions that this program uses, with their types."""

    def __init__(self, path):
        pointer, word, number = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint
        library = ctypes.CDLL(path)
        for name, result, arguments in [
                ("up_machine_create", ctypes.c_int, [ctypes.POINTER(MachineOptions), ctypes.POINTER(pointer)]),
                ("up_machine_destroy", ctypes.c_int, [pointer]),
                ("up_space_create", ctypes.c_int, [pointer, ctypes.c_int, ctypes.POINTER(pointer)]),
                ("up_space_destroy", ctypes.c_int, [pointer]),
                ("up_space_map", ctypes.c_int, [pointer, word, word, number, number, pointer, word]),
                ("up_space_load", ctypes.c_int, [pointer, word, pointer, ctypes.c_size_t]),
                ("up_space_pin_range", ctypes.c_int64, [pointer, word, word, number, ctypes.POINTER(Pins)]),
                ("up_unpin_range", ctypes.c_int, [ctypes.POINTER(Pins), ctypes.c_int]),
                ("up_pins_vectors", ctypes.c_int64,
                 [ctypes.POINTER(Pins), word, ctypes.POINTER(Vector), ctypes.c_size_t, ctypes.POINTER(word)])]:
            function = getattr(library, name)
            function.restype, function.argtypes, function.errcheck = result, arguments, checked
            setattr(self, name, function)


def write_sample(path):
    np.arange(PAGES * PAGE // 8, dtype=np.uint64).tofile(path)


def read_directly(path, buffer):
    """Reads the whole file into the buffer: by direct I/O where the file system has it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
        way = "direct I/O"
    except OSError:
        file = os.open(path, os.O_RDONLY)
        way = "the kernel's page cache"
    try:
        done = 0
        while done < len(buffer):
            count = os.preadv(file, [buffer[done:]], done)
            if count == 0:
                raise OSError("the file is too short")
            done += count
    finally:
        os.close(file)
    return way


def main():
    up = Library(sys.argv[1] if len(sys.argv) > 1 else "libuserpages.so.0")
    path = os.path.join(sys.argv[2] if len(sys.argv) > 2 else "/var/tmp", f"user-pages-numpy.{os.getpid()}")
    write_sample(path)

    machine, space, pins = ctypes.c_void_p(), ctypes.c_void_p(), Pins()
    up.up_machine_create(ctypes.byref(MachineOptions(ram_pages=4 * PAGES)), ctypes.byref(machine))
    up.up_space_create(machine, ENGINE_SLOT, ctypes.byref(space))
    # One entry of 2 MiB, so that the pages lie side by side and one array can show them.
    up.up_space_map(space, ADDRESS, PAGES, READ | WRITE, MAP_HUGE, None, 0)
    pinned = up.up_space_pin_range(space, ADDRESS, PAGES, PIN_WRITE, ctypes.byref(pins))
    vector, following = Vector(), ctypes.c_uint64()
    up.up_pins_vectors(ctypes.byref(pins), 0, ctypes.byref(vector), 1, ctypes.byref(following))
    assert pinned == PAGES and following.value == PAGES, "the pages do not lie side by side"

    buffer = (ctypes.c_char * vector.length).from_address(vector.base)
    way = read_directly(path, memoryview(buffer).cast("B"))
    array = np.frombuffer(buffer, dtype=np.uint64)
    assert array.ctypes.data == vector.base, "the array is a copy"
    total = int(array.sum())
    assert total == len(array) * (len(array) - 1) // 2, "the disk wrote something else"

    # What the array stores, the space's program loads.
    array[1] = 1234
    loaded = ctypes.c_uint64()
    up.up_space_load(space, ADDRESS + 8, ctypes.byref(loaded), 8)
    assert loaded.value == 1234, "program and array see different pages"
    print(f"{len(array)} numbers in {pinned} pinned pages by {way}, sum {total}")

    # The array's bytes are good as long as the pins.
    del array, buffer
    up.up_unpin_range(ctypes.byref(pins), 1)
    up.up_space_destroy(space)
    up.up_machine_destroy(machine)
    os.unlink(path)


if __name__ == "__main__":
    main()
