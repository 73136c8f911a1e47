"""Saluki's TFRecords, written here by other code than the reader's: the protobuf and crc32c packages."""

import os
import struct
import tracemalloc
import zlib

import crc32c
import h5py
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from generate_dataset import saluki
from generate_dataset.build import main, run
from generate_dataset.saluki import SalukiSettings, parse_example, read_records, read_saluki
from utils.checkpoint import load_checkpoint
from utils.config import ModelSettings, load_settings, load_variant
from utils.data import SPLITS, read_split, unpack_tracks
from utils.prediction import predict
from utils.runtime import ROOT, InputError
from utils.sequence import decode, from_one_hot
from utils.training import TrainingSettings, run_training

# -- an independent writer ---------------------------------------------------------------------------------------


def _example_class():
    """Return tf.train.Example, declared as in TensorFlow's example.proto and feature.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    repeated, single = 3, 1
    kinds = {"bytes": 12, "float": 2, "int64": 3, "string": 9, "message": 11}

    def add(name, *fields, within=file.message_type):
        message = within.add(name=name)
        for number, (field, kind, label) in enumerate(fields, start=1):
            known = kind if kind in kinds else "message"
            added = message.field.add(name=field, number=number, type=kinds[known], label=label)
            if known == "message":
                added.type_name = f".t.{kind}"
        return message

    add("BytesList", ("value", "bytes", repeated))
    add("FloatList", ("value", "float", repeated))
    add("Int64List", ("value", "int64", repeated))
    lists = ("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")
    feature = add("Feature", *((field, kind, single) for field, kind in lists))
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = add("Features", ("feature", "Features.FeatureEntry", repeated))
    fields = ("key", "string", single), ("value", "Feature", single)
    add("FeatureEntry", *fields, within=features.nested_type).options.map_entry = True
    add("Example", ("features", "Features", single))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


EXAMPLE = _example_class()


def example(**features):
    """Return a serialised tf.train.Example: numbers as int64 list, floats as float list, bytes as bytes list."""
    message = EXAMPLE()
    for name, value in features.items():
        feature = message.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    return message.SerializeToString(deterministic=True)


def masked(data):
    crc = crc32c.crc32c(data)
    rotated = (crc >> 15) | ((crc << 17) % 2**32)
    return struct.pack("<I", (rotated + 0xA282EAD8) % 2**32)


def framed(data):
    """Return a record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def write_file(path, examples):
    """Write a zlib-compressed TFRecord file, in as many deflate blocks as records."""
    packer = zlib.compressobj(level=6)
    with open(path, "wb") as handle:
        for data in examples:
            handle.write(packer.compress(framed(data)) + packer.flush(zlib.Z_FULL_FLUSH))
        handle.write(packer.flush())


def make_message(length, seed, targets=1):
    """Return the features of a random message with N, codons and exon ends."""
    rng = np.random.default_rng(seed)
    coding, splice = np.zeros((2, length), dtype=np.uint8)
    coding[2 : length - 3 : 3] = 1
    splice[[length // 3, length - 1]] = 1
    sequence = rng.integers(0, 4, length).astype(np.uint8)
    sequence[5:7] = 4
    return {
        "lengths": length, "sequence": sequence.tobytes(), "coding": coding.tobytes(), "splice": splice.tobytes(),
        "targets": rng.normal(size=targets).astype("<f2").tobytes(),
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes a folder of TFRecords, 3 records a file, and returns it with all messages."""

    def make(records=(36, 9, 6), name="tfrecords", shortest=40, longest=90, **more):
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        rng = np.random.default_rng(len(records))
        messages = {}
        for split, count in zip(SPLITS, records, strict=True):
            lengths = rng.integers(shortest, longest + 1, count)
            made = [make_message(int(n), (i, count), **more) for i, n in enumerate(lengths)]
            for number in range((count + 2) // 3):
                part = made[3 * number : 3 * number + 3]
                write_file(place / f"{split}-{number}.tfr", [example(**features) for features in part])
                messages |= {f"{split}-{number}_{i}": features for i, features in enumerate(part)}
        return place, messages

    return make


def read(place, max_length=100, **more):
    return read_saluki(SalukiSettings(source=str(place), reader="saluki", output="", max_length=max_length, **more))


# -- what is read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [1, 3])
def test_what_was_written_is_read(folder, targets):
    """Row 8: N (4) and padding are columns of zeros, never A."""
    place, messages = folder(targets=targets)
    found = read(place)
    assert found.id == list(messages)  # train-2 before train-10
    assert found.id[27:33] == ["train-9_0", "train-9_1", "train-9_2", "train-10_0", "train-10_1", "train-10_2"]
    assert found.split.tolist() == [name.partition("-")[0] for name in messages]
    assert found.label.shape == (51, targets)
    tracks = unpack_tracks(found.codes, 6)
    for row, features in enumerate(messages.values()):
        length = features["lengths"]
        expected = "".join("ACGUN"[index] for index in features["sequence"]) + "N" * (100 - length)
        assert decode(from_one_hot(tracks[row])) == expected
        assert found.length[row] == length
        for track, name in ((4, "coding"), (5, "splice")):
            assert tracks[row, track].tobytes() == features[name] + bytes(100 - length)
        assert found.label[row].tolist() == np.frombuffer(features["targets"], "<f2").astype(float).tolist()


def test_the_five_prime_part_is_kept(folder):
    place, _ = folder()
    found = read(place, max_length=45)
    whole = read(place)
    assert np.array_equal(found.codes, whole.codes[:, :45])
    assert found.length.max() == 45
    assert found.length.min() < 45


def test_a_data_set_is_built(folder, tmp_path):
    place, messages = folder()
    run(SalukiSettings(source=str(place), reader="saluki", output=str(tmp_path / "set.h5"), max_length=100))
    splits = {name: read_split(tmp_path / "set.h5", name) for name in SPLITS}
    assert [len(split) for split in splits.values()] == [36, 9, 6]
    assert [name for split in splits.values() for name in split.id] == list(messages)
    with h5py.File(tmp_path / "set.h5") as file:
        assert list(file.attrs["source"])[:3] == ["train-0.tfr", "train-1.tfr", "train-2.tfr"]
        assert file.attrs["label_name"] == "half-life"


def test_records_without_a_finite_label_are_left_out_and_counted(folder, caplog):
    place, messages = folder()
    features = list(messages.values())[:3]
    for wrong, value in zip(features, (np.nan, np.inf, 1.0), strict=True):
        wrong["targets"] = np.array([value], dtype="<f2").tobytes()
    write_file(place / "train-0.tfr", [example(**wrong) for wrong in features])
    found = read(place)
    assert found.id[:2] == ["train-0_2", "train-1_0"]  # ids stay those of the records
    assert "2 of 51 records left out" in caplog.text


def test_checksums_are_those_of_the_standard():
    """CRC-32C of 32 zeros (RFC 3720, appendix B.4) and of the digits 1 to 9, masked as in TFRecords."""
    for data, crc in ((bytes(32), 0x8A9136AA), (b"123456789", 0xE3069283)):
        rotated = int(f"{crc:032b}"[-15:] + f"{crc:032b}"[:-15], 2)
        assert saluki._masked_crc(data) == (rotated + 0xA282EAD8) % 2**32
        assert struct.pack("<I", saluki._masked_crc(data)) == masked(data)


def test_features_of_every_kind_are_parsed():
    data = example(a=b"x" * 300, b=2**40, c=1.5, d=b"", e=0)
    assert parse_example(data) == {"a": b"x" * 300, "b": 2**40, "d": b"", "e": 0}
    assert parse_example(b"") == {}


def test_a_length_in_bytes_is_read_too(folder):
    place, messages = folder()
    features = dict(messages["valid-0_0"])
    expected = read(place).length[36]
    features["lengths"] = struct.pack("<q", features["lengths"])
    write_file(place / "valid-0.tfr", [example(**features)])
    assert read(place).length[36] == expected


def test_records_are_streamed(tmp_path):
    """A file of 64 MB takes the memory of a few records, however well it is packed."""
    path = tmp_path / "train-0.tfr"
    write_file(path, [example(sequence=bytes(2**20))] * 64)
    tracemalloc.start()
    assert sum(len(data) for data in read_records(path)) > 64 * 2**20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


# -- bad input ---------------------------------------------------------------------------------------------------


def test_a_missing_folder_or_split_is_named(folder, tmp_path, one_line):
    with pytest.raises(InputError) as raised:
        read(tmp_path / "nothing")
    assert "nothing: no such folder" in one_line(raised)
    place, _ = folder()
    for path in place.glob("valid-*.tfr"):
        path.unlink()
    with pytest.raises(InputError) as raised:
        read(place)
    assert "no valid-*.tfr" in one_line(raised)


def huge(length):
    """Return the beginning of a record that says it is so long."""
    header = struct.pack("<Q", length)
    return header + masked(header)


def test_a_pipe_is_not_waited_for(folder, one_line):
    place, _ = folder()
    (place / "train-0.tfr").unlink()
    os.mkfifo(place / "train-0.tfr")
    with pytest.raises(InputError, match=r"train-0.tfr: is no file") as raised:
        read(place)
    one_line(raised)


def flip_last(data):
    """Return the bytes with another last one, whatever it was."""
    return data[:-1] + bytes([data[-1] ^ 1])


WHOLE = b"".join(framed(example(**make_message(60, seed))) for seed in range(3))
DAMAGED = {
    "not zlib": (lambda whole: whole, "zlib"),
    "empty": (lambda whole: b"", "truncated"),
    "truncated zlib": (lambda whole: zlib.compress(whole)[:-30], "truncated"),
    "more behind": (lambda whole: zlib.compress(whole) + b"x", "behind"),
    "damaged zlib": (lambda whole: flip_last(zlib.compress(whole)), "damaged"),
    "truncated data": (lambda whole: zlib.compress(whole[:-30]), "record 2: truncated"),
    "truncated header": (lambda whole: zlib.compress(whole + whole[:7]), "record 3: truncated"),
    "wrong length": (lambda whole: zlib.compress(bytes([whole[0] ^ 1]) + whole[1:]), "record 0: wrong checksum"),
    "wrong data": (lambda whole: zlib.compress(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]), "record 2: wrong"),
    "wrong checksum": (lambda whole: zlib.compress(flip_last(whole)), "record 2: wrong"),
    "no example": (lambda whole: zlib.compress(framed(b"\x0a\xff\xff\x03abc")), "record 0: not a tf.train.Example"),
    "no message": (lambda whole: zlib.compress(framed(b"\x08\x05")), "record 0: not a tf.train.Example"),
    "huge record": (lambda whole: zlib.compress(huge(2**40) + bytes(2**22)), "record 0: 1,099,511,627,776 bytes"),
    "endless number": (lambda whole: zlib.compress(framed(b"\xff" * 10**6)), "record 0: not a tf.train.Example"),
    "text": (lambda whole: zlib.compress(framed(b"some text, 28 letters long..")), "record 0: not a tf.train.Example"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_one_line(folder, one_line, kind):
    damage, words = DAMAGED[kind]
    place, _ = folder()
    (place / "valid-1.tfr").write_bytes(damage(WHOLE))
    with pytest.raises(InputError) as raised:
        read(place)
    message = one_line(raised)
    assert "valid-1.tfr" in message
    assert words in message


@pytest.mark.parametrize("flipped", range(0, 700, 37))
def test_every_flipped_bit_is_found(folder, one_line, flipped):
    place, _ = folder()
    whole = bytearray(WHOLE)
    whole[flipped % len(whole)] ^= 1 << flipped % 8
    (place / "test-0.tfr").write_bytes(zlib.compress(bytes(whole)))
    with pytest.raises(InputError) as raised:
        read(place)
    assert "wrong checksum" in one_line(raised)


def put(**changes):
    return lambda features: {**features, **changes}


def without(name):
    return lambda features: {key: value for key, value in features.items() if key != name}


WRONG = {
    **{f"no {name}": (without(name), f"'{name}' is missing") for name in saluki.FEATURES},
    "lengths": (put(lengths=61), "'lengths' is 61, but 'sequence' has 60"),
    "coding short": (put(coding=bytes(59)), "'coding' has 59"),
    "splice long": (put(splice=bytes(61)), "'splice' has 61"),
    "empty": (put(lengths=0, sequence=b"", coding=b"", splice=b""), "'lengths' is 0"),
    "negative": (put(lengths=-1), "'sequence' has 60"),
    "base": (put(sequence=bytes([0, 5] * 30)), "'sequence' holds 5"),
    "letters": (put(sequence=b"A" * 60), "'sequence' holds 65"),
    "one-hot": (put(sequence=bytes(240)), "'sequence' has 240"),
    "coding 2": (put(coding=bytes([0, 2] * 30)), "'coding' holds 2"),
    "splice 2": (put(splice=bytes([0, 2] * 30)), "'splice' holds 2"),
    "odd targets": (put(targets=b"abc"), "3 bytes"),
    "no targets": (put(targets=b""), "0 bytes"),
    "two targets": (put(targets=bytes(4)), "2 targets"),
    "float targets": (put(targets=1.5), "'targets' is missing"),
    "int targets": (put(targets=3), "'targets' holds numbers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_record_is_one_line(folder, one_line, kind):
    change, words = WRONG[kind]
    place, _ = folder()
    records = [make_message(60, 0), change(make_message(60, 1))]
    write_file(place / "train-3.tfr", [example(**features) for features in records])
    with pytest.raises(InputError) as raised:
        read(place)
    message = one_line(raised)
    assert "train-3.tfr: record 1" in message
    assert words in message


def test_no_usable_record_is_an_error(folder, one_line):
    place, _ = folder((3, 3, 3))
    for split in SPLITS:
        features = {**make_message(60, 0), "targets": np.array([np.nan], "<f2").tobytes()}
        write_file(place / f"{split}-0.tfr", [example(**features)])
    with pytest.raises(InputError) as raised:
        read(place)
    assert "no usable record" in one_line(raised)


# -- the configs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["f0_c0_data0_wholeseq", "f0_c0_data1_wholeseq"])
def test_the_configs_say_what_is_missing(capsys, tmp_path, name):
    config = ROOT / "configs" / "datasets" / f"{name}.yaml"
    schema = load_variant({"saluki": SalukiSettings}, "reader", config)
    assert (schema.output, schema.max_length, schema.tracks) == (f"data/{name}.h5", 12288, 6)
    with pytest.raises(SystemExit) as stopped:
        main(["--config", str(config), f"source={tmp_path / 'nothing'}"])
    assert stopped.value.code == 2
    assert "nothing: no such folder" in capsys.readouterr().err.splitlines()[-1]


def test_the_mouse_model_trains_on_simulated_records(folder, tmp_path):
    """There are no mouse data here: its configs are exercised, with other paths, one epoch and a few messages."""
    place, _ = folder((10, 10, 5), shortest=400, longest=2000)
    main(
        ["--config", str(ROOT / "configs/datasets/f0_c0_data1_wholeseq.yaml"), f"source={place}",
         f"output={tmp_path / 'set.h5'}"]
    )  # fmt: skip
    paths = [f"dataset={tmp_path / 'set.h5'}", f"checkpoint={tmp_path / 'best.pth'}"]
    model = load_settings(ModelSettings, ROOT / "configs/models/hl_predictor_mouse.yaml", paths)
    config = ROOT / "configs/training/hl_predictor_mouse.yaml"
    settings = load_settings(TrainingSettings, config, ["epochs=1", "batch_size=5", "device=cpu"])
    assert settings.model == model.name
    run_training(settings, model, tmp_path / "results", overwrite=False)
    loaded = load_checkpoint(model)
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) == 155_521
    predictions = predict(loaded.model, read_split(tmp_path / "set.h5", "test"))
    assert predictions.shape == (5, 1)
    assert np.isfinite(predictions).all()
