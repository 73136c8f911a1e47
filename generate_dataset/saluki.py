"""Saluki's TFRecords -> messages with labels, without TensorFlow.

A folder holds ``{train,valid,test}-N.tfr``. What is in them is how Saluki writes and reads them (Agarwal and Kelley
2022; repository calico/basenji: ``jupyter/saluki_data.ipynb`` writes, ``RnaDataset`` of ``basenji/dataset.py`` reads):

- a file is one zlib stream of records (``TFRecordOptions(compression_type='ZLIB')``), 128 messages a file; a record is
  the length (uint64), its masked CRC-32C (uint32), the data, and their masked CRC-32C (uint32), little-endian; a CRC is
  masked by rotating it right by 15 bits and adding 0xA282EAD8 (TensorFlow, "TFRecords format details");
- a record's data is one ``tf.train.Example`` (TensorFlow, ``core/example/{example,feature}.proto``);
- ``lengths``: int64 list with one number, the nucleotides of the message;
- ``sequence``: one byte a nucleotide: A 0, C 1, G 2, T 3. Saluki writes a random base for an N; the one-hot function
  that reads the bytes makes zeros of anything above 3, and 4 is what basenji writes for an N elsewhere: N here;
- ``coding``: one byte a nucleotide, 1 at the first base of each codon of the CDS;
- ``splice``: one byte a nucleotide, 1 at the last base of each exon, the final exon included;
- ``targets``: float16, one number a target; the notebook writes one;
- messages are cut to their first 12,288 nt before they are written, and padded with zeros behind when they are read.
"""

import logging
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import google_crc32c
import numpy as np

from generate_dataset.messages import BIT_OF_INDEX, CODON_START, SPLICE_SITE, DatasetSettings, Messages
from utils.data import SPLITS, require_size
from utils.progress import progress_bar
from utils.runtime import InputError, root_path, shown
from utils.sequence import N

logger = logging.getLogger(__name__)

BLOCK = 2**20  # bytes that are inflated at once
LONGEST_RECORD = 2**24  # bytes: a message of 12,288 nt has 37,000
LONGEST_VARINT = 10  # bytes (https://protobuf.dev, "Encoding")
PER_NUCLEOTIDE = ("sequence", "coding", "splice")
FEATURES = ("lengths", *PER_NUCLEOTIDE, "targets")
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types of protocol buffers


class SalukiSettings(DatasetSettings):
    """TFRecords of Saluki: a folder with train-0.tfr, train-1.tfr, ..., valid-0.tfr, ..., test-0.tfr, ..."""

    reader: Literal["saluki"]
    label_name: str = "half-life"


def _inflate(path: Path) -> Iterator[bytes]:
    """Yield the content of a zlib-compressed file in blocks.

    Raises:
        InputError: not zlib, damaged, truncated, or bytes behind the end of the stream.
    """
    stream = zlib.decompressobj()
    with open(path, "rb") as handle:
        while not stream.eof:
            packed = stream.unconsumed_tail or handle.read(BLOCK)
            if not packed:
                raise InputError(f"{shown(path)}: truncated; get the file again")
            try:
                block = stream.decompress(packed, BLOCK)
            except zlib.error as error:
                raise InputError(f"{shown(path)}: not a zlib stream, or damaged ({error}); get it again") from None
            yield block
        if stream.unused_data or handle.read(1):
            raise InputError(f"{shown(path)}: bytes behind the end of its zlib stream; get the file again")


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of each record of a zlib-compressed TFRecord file, its checksums compared.

    Raises:
        InputError: not such a file, truncated, or a checksum is wrong.
    """
    blocks, held, number = _inflate(path), bytearray(), 0

    def take(size: int) -> bytes:
        while len(held) < size and (block := next(blocks, None)) is not None:
            held.extend(block)
        part = bytes(held[:size])
        del held[:size]
        return part

    while header := take(12):
        where = f"{shown(path)}: record {number}"
        if len(header) < 12:
            raise InputError(f"{where}: truncated; get the file again")
        length, crc = struct.unpack("<QI", header)
        if _masked_crc(header[:8]) != crc:
            raise InputError(f"{where}: wrong checksum of its length; not a TFRecord file, or damaged: get it again")
        if length > LONGEST_RECORD:
            raise InputError(f"{where}: {length:,} bytes; no message is longer than {LONGEST_RECORD:,}")
        body = take(length + 4)
        if len(body) < length + 4:
            raise InputError(f"{where}: truncated; get the file again")
        data, crc = body[:-4], struct.unpack("<I", body[-4:])[0]
        if _masked_crc(data) != crc:
            raise InputError(f"{where}: wrong checksum of its data; get the file again")
        yield data
        number += 1


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number that begins at ``place``, 7 bits a byte, lowest first, and the place behind it."""
    value, shift = 0, 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
        if shift == 7 * LONGEST_VARINT:
            raise ValueError("a number of more than 64 bits")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a protocol buffer message (https://protobuf.dev, "Encoding").

    Raises:
        ValueError: a field reaches over the end, or has an unknown wire type.
        IndexError: a number reaches over the end.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(data, place)
        elif kind in (BYTES, EIGHT_BYTES, FOUR_BYTES):
            size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(kind, 0)
            if kind == BYTES:
                size, place = _varint(data, place)
            value, place = data[place : place + size], place + size
            if place > len(data):
                raise ValueError("a field reaches over the end")
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def parse_example(data: bytes) -> dict[str, bytes | int]:
    """Return the features of a ``tf.train.Example``: the first of a bytes list as bytes, of an int64 list as a number.

    Raises:
        ValueError, IndexError: not such a message.
    """
    features: dict[str, bytes | int] = {}
    for _, all_features in _fields(memoryview(data)):
        for _, entry in _fields(all_features):
            parts = dict(_fields(entry))  # 1: name, 2: feature
            name = bytes(parts[1]).decode() if 1 in parts else ""
            for kind, values in _fields(parts.get(2, memoryview(b""))):  # 1: bytes, 2: float, 3: int64 list
                for _, value in _fields(values):
                    if kind == 3 and not isinstance(value, int):  # packed
                        value, _ = _varint(value, 0)
                    if kind != 2:
                        features.setdefault(name, value if isinstance(value, int) else bytes(value))
    return features


def decode_message(features: dict[str, bytes | int], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes uint8 (length,) of a message and its targets float64 (targets,).

    Args:
        features: those of a record.
        where: file and record, for error messages.

    Raises:
        InputError: a feature is missing, lengths that disagree, values out of range.
    """
    missing = [name for name in FEATURES if name not in features]
    if missing:
        held = ", ".join(features) or "nothing"
        raise InputError(f"{where}: feature '{missing[0]}' is missing; it holds {held}. Is it a file of Saluki?")
    for name in FEATURES[1:]:
        if not isinstance(features[name], bytes):
            raise InputError(f"{where}: '{name}' holds numbers; expected bytes")
    length = features["lengths"]
    if isinstance(length, bytes):  # Saluki writes a number
        length = int.from_bytes(length, "little")
    tracks = {name: np.frombuffer(features[name], np.uint8) for name in PER_NUCLEOTIDE}
    for name, values in tracks.items():
        if len(values) != length or not length:
            raise InputError(f"{where}: 'lengths' is {length}, but '{name}' has {len(values)} nucleotides")
        highest = N if name == "sequence" else 1
        if values.max() > highest:
            raise InputError(f"{where}: '{name}' holds {values.max()}; expected 0 to {highest}")
    if not features["targets"] or len(features["targets"]) % 2:
        raise InputError(f"{where}: 'targets' has {len(features['targets'])} bytes; expected float16 numbers")
    coding, splice = tracks["coding"] << CODON_START, tracks["splice"] << SPLICE_SITE
    return BIT_OF_INDEX[tracks["sequence"]] | coding | splice, np.frombuffer(features["targets"], "<f2").astype(float)


def _in_number_order(path: Path) -> list[str | int]:
    """Return a sorting key by which train-2 comes before train-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def find_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each split, in number order.

    Raises:
        InputError: no such folder, or a split has no file.
    """
    if not folder.is_dir():
        raise InputError(f"{shown(folder)}: no such folder (key 'source')")
    files = {split: sorted(folder.glob(f"{split}-*.tfr"), key=_in_number_order) for split in SPLITS}
    for split, found in files.items():
        if not found:
            raise InputError(f"{shown(folder)}: no {split}-*.tfr in it; name the folder that holds train-0.tfr")
        for path in found:
            if not path.is_file():  # a pipe would be waited for
                raise InputError(f"{shown(path)}: is no file")
    return files


def read_saluki(settings: SalukiSettings) -> Messages:
    """Read whole messages with their targets; the split is that of the file names.

    Ids are file and record, counted from 0: ``train-0_17``. Records whose targets are not finite are left out.
    """
    folder = root_path(settings.source)
    files = find_files(folder)
    rows, label, ids, split, left_out = [], [], [], [], 0
    paths = [(name, path) for name, found in files.items() for path in found]
    for name, path in progress_bar(paths, desc=folder.name, unit=" files", leave=False):
        for number, data in enumerate(read_records(path)):
            where = f"{shown(path)}: record {number}"
            try:
                features = parse_example(data)
            except (ValueError, IndexError, TypeError) as error:
                raise InputError(f"{where}: not a tf.train.Example ({error})") from None
            codes, targets = decode_message(features, where)
            if label and len(targets) != len(label[0]):
                raise InputError(f"{where}: {len(targets)} targets, those before have {len(label[0])}")
            if not np.isfinite(targets).all():
                left_out += 1
                continue
            rows.append(codes[: settings.max_length])
            label.append(targets)
            ids.append(f"{path.stem}_{number}")
            split.append(name)
    if left_out:
        logger.warning("%s: %d of %d records left out: no label", shown(folder), left_out, left_out + len(ids))
    if not ids:
        raise InputError(f"{shown(folder)}: no usable record")
    require_size(len(rows), settings.max_length)
    codes = np.zeros((len(rows), settings.max_length), dtype=np.uint8)
    for row, message in enumerate(rows):
        codes[row, : len(message)] = message
    length = np.array([len(message) for message in rows], dtype=np.int32)
    read = [path for _, path in paths]
    return Messages(codes, np.stack(label), length, ids, settings.label_name, read, np.array(split))
