"""Data sets at rest: HDF5 files with a train, a valid and a test split.

In memory a position of a message is one byte: bit ``t`` says whether track ``t`` is on. Batches are expanded to float
only when the network reads them, so a data set is never in memory as float.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch

from utils.hdf5 import UNREADABLE, Damaged, new_file, require_stored
from utils.runtime import ROOT, InputError, shown

SPLITS = ("train", "valid", "test")
TRACKS = ("A", "C", "G", "U", "codon_start", "splice_site")
MOST_NUCLEOTIDES = 5 * 2**29  # of a data set in memory, padding included: 218,000 messages of 12,288
BLOCK_VALUES = 2**25  # of a data set that are read at once
PART_POSITIONS = 2**14  # nucleotides, padding included, that go through the convolutions together


class StoredCodes:
    """Codes uint8 (n, length) that stay in the file; ``codes[first:end]`` reads those rows.

    Args:
        path: of the data set.
        rows: of each split, in the order in which they are counted.
        length: nt of the longest input; shorter ones end with 0.
    """

    def __init__(self, path: Path, rows: Mapping[str, int], length: int) -> None:
        self.path, self.rows, self.shape = path, dict(rows), (sum(rows.values()), length)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> np.ndarray:
        wanted = range(len(self))[part]
        codes = np.zeros((len(wanted), self.shape[1]), dtype=np.uint8)
        first = 0
        try:
            with h5py.File(self.path, "r") as file:
                for name, count in self.rows.items():
                    here = range(max(wanted.start, first), min(wanted.stop, first + count))
                    if here:
                        stored = file[f"{name}_sequence"]
                        into = codes[here.start - wanted.start :][: len(here), : stored.shape[2]]
                        where = f"{shown(self.path)}: {name}_sequence"
                        row = here.start - first
                        _read_codes(stored, where, into, row)
                        if f"{name}_length" in file:
                            length = file[f"{name}_length"][row : row + len(here)]
                            _require_within(into, length, f"{shown(self.path)}: {name}_length", row)
                    first += count
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:100]
            raise InputError(f"{shown(self.path)}: not a readable data set ({reason}); make it again") from None
        return codes


@dataclass(frozen=True)
class Split:
    """One split of a data set.

    Attributes:
        codes: uint8 (n, length), bit ``t`` set where track ``t`` is 1; 0 is padding or N. Or ``StoredCodes``.
        label: float32 (n, targets).
        length: int32 (n,), the position after the last nucleotide of each message, which is how many it has where it
            begins at 0, and more where it ends at the end of the input (5' UTRs).
        id: text, n of them.
        tracks: how many tracks the codes hold.
    """

    codes: np.ndarray | StoredCodes
    label: np.ndarray
    length: np.ndarray
    id: list[str]
    tracks: int

    def __len__(self) -> int:
        return len(self.codes)

    def batch(self, rows: np.ndarray, device: torch.device | str = "cpu", shift: int = 0) -> tuple[torch.Tensor, int]:
        """Return float32 (rows, tracks, length) and the length of the longest message in it.

        ``shift`` moves the messages towards the 3' end by so many positions; what leaves the input is cut.
        """
        codes = torch.from_numpy(self.codes[rows]).to(device)
        longest = int(self.length[rows].max())
        if shift:
            codes = torch.nn.functional.pad(codes, (shift, 0))[:, : self.codes.shape[1]]
            longest = min(longest + shift, self.codes.shape[1])
        bits = torch.arange(self.tracks, device=device, dtype=torch.uint8)
        return (codes.unsqueeze(1) >> bits[None, :, None]).bitwise_and_(1).float(), longest

    def batches_by_length(self, batch_size: int) -> Iterator[np.ndarray]:
        """Yield row numbers, messages of like length together."""
        order = np.argsort(self.length, kind="stable")
        for start in range(0, len(order), batch_size):
            yield order[start : start + batch_size]


def parts_of_like_length(rows: np.ndarray, length: np.ndarray) -> list[np.ndarray]:
    """Return the rows of a batch in parts, shorter messages first, so that little of a part is padding."""
    parts: list[list[int]] = [[]]
    for row in rows[np.argsort(length[rows], kind="stable")]:
        if parts[-1] and (len(parts[-1]) + 1) * length[row] > PART_POSITIONS:
            parts.append([])
        parts[-1].append(int(row))
    return [np.array(part) for part in parts]


def require_size(messages: int, length: int, where: str = "key 'max_length'") -> None:
    """Check that messages, a byte a nucleotide, fit into a few GiB; ``where`` names what they are of.

    Raises:
        InputError: they do not.
    """
    if messages * length > MOST_NUCLEOTIDES:
        raise InputError(
            f"{where}: {messages:,} messages of {length:,} nt are {messages * length / 2**30:.1f} GiB; "
            f"at most {MOST_NUCLEOTIDES / 2**30:g} are held in memory: make it smaller, or take fewer messages"
        )


def pack_tracks(tracks: np.ndarray) -> np.ndarray:
    """Return codes uint8 (..., length) of 0/1 tracks (..., tracks, length)."""
    weights = (1 << np.arange(tracks.shape[-2])).astype(np.uint8)
    return np.tensordot(tracks.astype(np.uint8), weights, axes=([-2], [0])).astype(np.uint8)


def unpack_tracks(codes: np.ndarray, tracks: int) -> np.ndarray:
    """Return 0/1 tracks uint8 (n, tracks, length) of codes (n, length)."""
    return (codes[:, None, :] >> np.arange(tracks, dtype=np.uint8)[None, :, None]) & 1


def write_dataset(path: str | Path, splits: Mapping[str, Split], attributes: Mapping[str, object]) -> None:
    """Write ``data/NAME.h5`` whole or not at all, with the attributes that say what it is."""
    with new_file(path) as file:
        for name, split in splits.items():
            n, length = split.codes.shape
            shape = (n, split.tracks, length)
            rows = max(1, min(n, 2**20 // (split.tracks * length)))
            stored = file.create_dataset(
                f"{name}_sequence", shape, dtype="u1", chunks=(rows, *shape[1:]), compression="gzip", compression_opts=1
            )
            for start in range(0, n, 256):
                stored[start : start + 256] = unpack_tracks(split.codes[start : start + 256], split.tracks)
            file[f"{name}_label"] = split.label.astype(np.float32)
            file[f"{name}_length"] = split.length.astype(np.int32)
            file.create_dataset(f"{name}_id", data=split.id, dtype=h5py.string_dtype())
        for key, value in attributes.items():
            file.attrs[key] = value


def _require_tracks(stored: h5py.Dataset, where: str) -> None:
    if stored.ndim != 3 or not 4 <= stored.shape[1] <= 8 or not stored.shape[2]:
        raise InputError(f"{where}: shape {stored.shape}; expected (n, 4 to 8 tracks, length)")


def _read_codes(stored: h5py.Dataset, where: str, codes: np.ndarray, first: int = 0) -> None:
    """Fill codes (n, length) from row ``first`` on of a stored array, whatever its number type, block by block."""
    rows = max(1, min(256, BLOCK_VALUES // (stored.shape[1] * stored.shape[2])))
    for start in range(0, len(codes), rows):
        block = stored[first + start : first + min(start + rows, len(codes))]
        if not ((block == 0) | (block == 1)).all():
            near = f"near row {first + start}"
            raise InputError(f"{where}: holds values other than 0 and 1 {near}; expected one-hot tracks")
        codes[start : start + rows] = pack_tracks(block)


def split_shape(path: str | Path, name: str) -> tuple[int, int]:
    """Return rows and length of a split's input, 0 and 0 where there is no such array: ``read_split`` says why."""
    try:
        with h5py.File(path, "r") as file:
            n, _, length = file[f"{name}_sequence"].shape
            return n, length
    except UNREADABLE:
        return 0, 0


def build_command(path: str | Path) -> str:
    """Return the command that makes a data set; a config has the name of what it makes."""
    name = Path(path).stem
    if name == "simulated":
        return "python -m generate_dataset.simulate --config configs/simulated.yaml"
    own = f"configs/datasets/{name}.yaml"
    return f"python -m generate_dataset.build --config {own if (ROOT / own).is_file() else 'CONFIG'}"


def read_split(path: str | Path, name: str, into: np.ndarray | None = None, stored_codes: bool = False) -> Split:
    """Read one split. The published layout (float tracks, no lengths, no ids) is read too.

    Args:
        path: of the data set.
        name: train, valid or test.
        into: uint8 (n, length or more), an array that becomes the codes; its last columns are left as they are.
        stored_codes: leave the codes in the file (``StoredCodes``).

    Raises:
        InputError: no such file, truncated, a key missing, a wrong shape, NaN labels, a length that leaves a part of a
            message out, or no rows. Of codes that stay in the file the lengths are checked as they are read.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{shown(path)}: no such data set; make it with {build_command(path)}")
    try:
        with h5py.File(path, "r") as file:
            missing = [key for key in (f"{name}_sequence", f"{name}_label") if key not in file]
            if missing:
                raise InputError(
                    f"{shown(path)}: key '{missing[0]}' is missing; it holds {', '.join(file) or 'nothing'}"
                )
            for key in ("sequence", "label", "length", "id"):
                if f"{name}_{key}" in file:
                    require_stored(file[f"{name}_{key}"], f"{name}_{key}")
            stored = file[f"{name}_sequence"]
            where = f"{shown(path)}: {name}_sequence"
            _require_tracks(stored, where)
            if stored_codes:
                codes = StoredCodes(path, {name: stored.shape[0]}, stored.shape[2])
            else:
                require_size(stored.shape[0], stored.shape[2], where)
                codes = np.empty((stored.shape[0], stored.shape[2]), np.uint8) if into is None else into
                _read_codes(stored, where, codes[:, : stored.shape[2]])
            with np.errstate(over="ignore"):  # to infinity, which is refused below
                label = np.asarray(file[f"{name}_label"][()], dtype=np.float32)
            length = file[f"{name}_length"][()] if f"{name}_length" in file else _used_length(codes)
            ids = file[f"{name}_id"].asstr()[:].tolist() if f"{name}_id" in file else None
            tracks, stored_length = stored.shape[1:]
    except (Damaged, *UNREADABLE) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{shown(path)}: not a readable data set ({reason}); make it again") from None
    ids = [f"{name}_{row}" for row in range(len(codes))] if ids is None else ids
    for key, values in (("label", label), ("length", length), ("id", ids)):
        if np.shape(values)[:1] != (len(codes),):
            rows = len(values) if np.shape(values) else "no"
            raise InputError(f"{shown(path)}: {name}_{key} has {rows} rows, {name}_sequence {len(codes)}")
    if not len(codes):
        raise InputError(f"{shown(path)}: the {name} split is empty")
    label = label.reshape(len(codes), -1)
    if not label.shape[1]:
        raise InputError(f"{shown(path)}: {name}_label holds no number for a row")
    if not np.isfinite(label).all():
        row = int(np.argmax(~np.isfinite(label).all(axis=1)))
        raise InputError(f"{shown(path)}: {name}_label row {row} is not a number; leave such rows out of the data set")
    if length.ndim != 1 or not ((length >= 0) & (length <= codes.shape[1])).all():
        raise InputError(f"{shown(path)}: {name}_length holds something else than 0 to {codes.shape[1]} for each row")
    if isinstance(codes, np.ndarray):
        _require_within(codes[:, :stored_length], length, f"{shown(path)}: {name}_length")
    return Split(codes, label, length.astype(np.int32), ids, tracks)


def _used_length(codes: np.ndarray | StoredCodes) -> np.ndarray:
    """Return the position after the last non-zero code of each row."""
    length = np.zeros(len(codes), dtype=np.int64)
    for start in range(0, len(codes), 256):
        used = codes[start : start + 256] != 0
        length[start : start + 256] = np.where(used.any(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1), 0)
    return length


def _require_within(codes: np.ndarray, length: np.ndarray, where: str, first: int = 0) -> None:
    """Check that all of each message (n, positions) lies before its length (n,), as what follows is taken for padding.

    Raises:
        InputError: it does not; ``where`` names file and key, ``first`` is the number of the first row.
    """
    used = _used_length(codes)
    wrong = np.flatnonzero(used > length)
    if len(wrong):
        row = wrong[0]
        raise InputError(
            f"{where} row {first + row} is {length[row]}, but the message reaches to {used[row]}: write the position "
            "after the last nucleotide, not their number"
        )
