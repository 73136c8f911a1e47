"""HDF5 files: written whole or not at all, and read with a check of what they hold."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from utils.runtime import atomic_path

# what h5py raises on files that are cut short, damaged or something else
UNREADABLE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)
MOST_DEFLATED = 1100  # bytes that a byte of a file can stand for: deflate makes at most 1,032 of one (zlib, FAQ)
UNCOMPRESSED = 2**16  # bytes that an array may have in any case
BLOCK = 2**22  # bytes by which a file grows in memory

Shape = tuple[int | str, ...]


class Damaged(Exception):
    """An HDF5 file does not hold what it should. The message says what is wrong, without the file's name."""


@contextlib.contextmanager
def new_file(path: str | Path) -> Iterator[h5py.File]:
    """Give an HDF5 file to write into; it takes the place of ``path`` when the block ends without an error.

    It is put together in memory: where the disk is full, the HDF5 library would crash the whole process.
    """
    with h5py.File(str(path), "w", driver="core", backing_store=False, block_size=BLOCK) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(image)


def require_stored(stored: h5py.Dataset, where: str) -> None:
    """Check that an array is not larger than what its bytes in the file can hold, before memory is taken for it.

    Raises:
        Damaged: no array of plain values, or a size that nothing stands behind.
    """
    if not isinstance(stored, h5py.Dataset) or stored.shape is None:
        raise Damaged(f"'{where}' is no array")
    if stored.size * stored.dtype.itemsize > UNCOMPRESSED + MOST_DEFLATED * stored.id.get_storage_size():
        raise Damaged(f"'{where}' has the size {stored.shape}, but its values are not there")


def read_arrays(
    path: str | Path,
    shapes: Mapping[str, Shape],
    attributes: Mapping[str, type] | None = None,
    texts: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    gaps: tuple[str, ...] = (),
) -> dict:
    """Return arrays and attributes of a file, by their names.

    Args:
        path: of the file.
        shapes: of each array: numbers, or names of lengths, which must be the same wherever they stand.
        attributes: name and type of each; a number must be finite.
        texts: arrays of text.
        optional: arrays and attributes that may be missing; they are None then.
        gaps: arrays that may hold NaN. Infinity is nowhere, minus infinity everywhere allowed.

    Raises:
        Damaged: no HDF5 file, or something in it is missing or other than it should be.
    """
    found: dict = {}
    lengths: dict[str, int] = {}
    if not Path(path).is_file():  # a pipe would be waited for
        raise Damaged("no file")
    try:
        with h5py.File(path, "r") as file:
            for name, shape in shapes.items():
                if name not in file and name in optional:
                    found[name] = None
                    continue
                stored = file[name]
                require_stored(stored, name)
                wanted = tuple(lengths.get(one, one) if isinstance(one, str) else one for one in shape)
                fits = len(stored.shape) == len(wanted) and all(
                    isinstance(one, str) or one == other for one, other in zip(wanted, stored.shape, strict=True)
                )
                if not fits:
                    raise Damaged(f"'{name}' has the shape {stored.shape}, not {_text(wanted)}")
                lengths |= {one: other for one, other in zip(shape, stored.shape, strict=True) if isinstance(one, str)}
                found[name] = stored.asstr()[:] if name in texts else _numbers(stored, name, name in gaps)
            for name, kind in (attributes or {}).items():
                if name not in file.attrs and name in optional:
                    found[name] = None
                    continue
                value = file.attrs[name]
                found[name] = str(value) if kind is str else kind(value)
                if kind is not str and not np.isfinite(found[name]):
                    raise Damaged(f"attribute '{name}' is {value}")
    except UNREADABLE as error:
        raise Damaged(" ".join(str(error).split())[:100]) from None
    return found


def stored_settings(path: str | Path) -> str:
    """Return the key of the settings that a file was made with; empty where it has none or is damaged."""
    try:
        return read_arrays(path, {}, {"settings": str})["settings"]
    except Damaged:
        return ""


def _numbers(stored: h5py.Dataset, name: str, gaps: bool) -> np.ndarray:
    if stored.dtype.kind not in "iuf":
        raise Damaged(f"'{name}' does not hold numbers")
    values = stored[()]
    fine = values < np.inf if stored.dtype.kind == "f" else np.ones(1, dtype=bool)
    if not (fine | np.isnan(values) if gaps else fine).all():
        raise Damaged(f"'{name}' holds a value that is not a number")
    return values


def _text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"
