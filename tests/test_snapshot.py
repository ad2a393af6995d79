"""Snapshots: what goes in comes out, what is damaged or hostile is refused, and an interrupted write loses nothing."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

from rnnbook import snapshot

ARRAYS = {
    "float64": np.array([[1.5, -0.0, np.nan], [np.inf, 5e-324, 1 / 3]]),
    "float32": np.arange(4, dtype=np.float32),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "uint8": np.arange(6, dtype=np.uint8).reshape(1, 2, 3),
    "bool": np.array([True, False]),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    'with "quotes", and ü': np.ones(1),
}
FACTS = {"step": 3, "loss": 0.1 + 0.2, "nan": float("nan"), "state": {"large": 2**127 + 1}, "text": "ü", "none": None}


def test_what_goes_in_comes_out(tmp_path):
    path = tmp_path / "a.safetensors"
    snapshot.save(path, ARRAYS, FACTS)
    arrays, facts = snapshot.load(path)
    assert list(arrays) == list(ARRAYS) and json.dumps(facts) == json.dumps(FACTS) and facts["loss"] == FACTS["loss"]
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()  # to the bit: -0.0 and nan as well
        assert arrays[name].flags.writeable and arrays[name].flags.aligned and arrays[name].dtype.isnative
    assert os.listdir(tmp_path) == ["a.safetensors"]
    first = path.read_bytes()
    snapshot.save(path, ARRAYS, FACTS)
    assert path.read_bytes() == first


def test_any_layout_of_an_array(tmp_path):
    path = str(tmp_path / "a")
    array = np.arange(12.0).reshape(3, 4)
    array.flags.writeable = False
    layouts = {"turned": array.T, "strided": array[::2, ::-1], "swapped": array.astype(">f8"), "list": [1.0, 2.0]}
    snapshot.save(path, layouts, {})
    for name, loaded in snapshot.load(path)[0].items():
        np.testing.assert_array_equal(loaded, layouts[name])


def test_the_format_is_what_the_docstring_says(tmp_path):
    """Read as the specification of safetensors has it, and as the library does where it is installed."""
    path = tmp_path / "a.safetensors"
    snapshot.save(path, ARRAYS, FACTS)
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    assert all(isinstance(value, str) for value in header.pop("__metadata__").values())
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        assert data[8 + size + start : 8 + size + end] == ARRAYS[name].tobytes()
    for name, array in safetensors.numpy.load_file(path).items():
        assert array.tobytes() == ARRAYS[name].tobytes() and array.shape == ARRAYS[name].shape


def test_every_changed_bit_is_noticed(tmp_path):
    path = tmp_path / "a"
    snapshot.save(path, {"a": np.arange(3.0), "b": np.zeros(2, np.float32)}, {"step": 1})
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(snapshot.SnapshotError, match="/a: not a complete snapshot: expected "):
            snapshot.load(path)


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "a"
    snapshot.save(path, {"a": np.arange(3.0)}, {"step": 1})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(snapshot.SnapshotError, match="not a complete snapshot"):
            snapshot.load(path)
    path.write_bytes(whole + b"\0")
    message = f"expected {len(whole)} bytes, as its header says, got {len(whole) + 1}"
    with pytest.raises(snapshot.SnapshotError, match=message):
        snapshot.load(path)


def forged(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def described(**entry):
    metadata = {"format": snapshot.FORMAT, "facts": "{}", "sha256": "0" * 64}
    return {"__metadata__": metadata, "a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]} | entry}


HOSTILE = {
    "nothing": (b"", "at least 8 bytes, got 0"),
    "a text": (b"Dear reader, this is no snapshot.", "its first 8 bytes to be the length of a header"),
    "a zip file": (b"PK\x03\x04" + bytes(100), "its first 8 bytes"),
    "a header longer than the file": (forged(b"{}", size=100), "in a file of 10 bytes"),
    "a header longer than any": (forged(b" " * (2**20 + 1)), "length of a header, got 1048577"),
    "no JSON": (forged(b"{no"), "a header that names its arrays and facts"),
    "no UTF-8": (forged(b'{"\xff": 1}'), "a header that names"),
    "JSON without an end": (forged(b"[" * 100_000), "a header that names"),
    "a number without an end": (forged(b'{"a": ' + b"9" * 100_000 + b"}"), "a header that names"),
    "a list": (forged([]), "a header that names"),
    "no metadata": (
        forged({"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)),
        "a header that names",
    ),
    "metadata that is a number": (forged({"__metadata__": 1}), "a header that names"),
    "another format": (forged({"__metadata__": {"format": "pt"}}), "the format rnnbook-snapshot-1, got 'pt'"),
    "no array": (forged(described() | {"a": 1}, bytes(8)), "a header that names"),
    "objects": (forged(described(dtype="O"), bytes(8)), "a header that names"),
    "a shape of text": (forged(described(shape="1"), bytes(8)), "a header that names"),
    "a negative shape": (forged(described(shape=[-1, -1]), bytes(8)), "a header that names"),
    "a shape with a fraction": (forged(described(shape=[1.0]), bytes(8)), "a header that names"),
    "very many axes": (forged(described(shape=[1] * 100), bytes(8)), "a header that names"),
    "more than the machine has": (
        forged(described(shape=[2**50], data_offsets=[0, 2**53]), bytes(8)), "9007199254741.* bytes, as its header says"
    ),
    "more than can be counted": (
        forged(described(shape=[2**62, 2**62], data_offsets=[0, 2**127]), bytes(8)), "bytes, as its header says"
    ),
    "a gap": (forged(described(data_offsets=[8, 16]), bytes(16)), r"a at the bytes 0 to 8, got \[8, 16\]"),
    "the wrong checksum": (forged(described(), bytes(8)), "the checksum 000000000000…"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(tmp_path, case):
    data, message = HOSTILE[case]
    path = tmp_path / "a"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(snapshot.SnapshotError, match=f"/a: not a complete snapshot: expected .*{message}"):
            snapshot.load(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_shape_that_is_too_large_even_for_nothing(tmp_path):
    """With the right checksum: whoever forges a file can compute that."""
    path = tmp_path / "a"
    header = described(shape=[2**62, 2**62, 0], data_offsets=[0, 0])
    digest = snapshot._digest(forged(header))
    header["__metadata__"]["sha256"] = digest
    path.write_bytes(forged(header))
    with pytest.raises(snapshot.SnapshotError, match="shapes that an array can have"):
        snapshot.load(path)


def test_large_files_are_not_read(tmp_path):
    """A sparse file, which takes no place on the disk, could fill the memory."""
    path = tmp_path / "a"
    size = 2**37
    path.write_bytes(forged(described(shape=[size], data_offsets=[0, 8 * size])))
    os.truncate(path, path.stat().st_size + 8 * size)
    with pytest.raises(snapshot.SnapshotError, match="at most max_bytes = 1073741824 bytes, got 10995"):
        snapshot.load(path)
    snapshot.save(path, {"a": np.zeros(1000)}, {})
    with pytest.raises(snapshot.SnapshotError, match="at most max_bytes = 8000 bytes"):
        snapshot.load(path, max_bytes=8000)
    snapshot.load(path, max_bytes=9000)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(snapshot.SnapshotError, match="expected a file, got something else"):
            snapshot.load(path)
    with pytest.raises(FileNotFoundError):
        snapshot.load(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError, match="expected a file, got a folder"):
        snapshot.save(tmp_path, {}, {})
    with pytest.raises(FileNotFoundError, match="nowhere/a'"):
        snapshot.save(tmp_path / "nowhere" / "a", {}, {})


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "a"
    snapshot.save(path, {"a": np.ones(2)}, {})
    for arrays, facts, error, message in (
        ({"a": np.array([None])}, {}, TypeError, r"arrays\['a'\]: expected dtype float64, .*, got object"),
        ({"a": np.ones(2, complex)}, {}, TypeError, "got complex128"),
        ({}, {"a": object()}, TypeError, "JSON"),
        ({}, [1], TypeError, "facts: expected a dict, got list"),
        ({1: np.ones(2)}, {}, ValueError, "arrays: expected names that are text.*, got 1"),
        ({"__metadata__": np.ones(2)}, {}, ValueError, "arrays: expected names .*, got '__metadata__'"),
        ({}, {"a": "x" * 2**20}, ValueError, "expected a header of at most 1048576 bytes"),
    ):
        with pytest.raises(error, match=message):
            snapshot.save(path, arrays, facts)
    assert snapshot.load(path)[0]["a"].tolist() == [1, 1] and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, function, problem):
    path = tmp_path / "a"
    snapshot.save(path, {"a": np.ones(2)}, {"step": 1})

    def fail(*_):
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(type(problem)) as caught:
            snapshot.save(path, {"a": np.zeros(1000)}, {"step": 2})
    if isinstance(problem, OSError):
        assert str(caught.value) == f"[Errno 28] No space left on device: '{path}'"
    assert os.listdir(tmp_path) == ["a"] and snapshot.load(path)[1] == {"step": 1}


WRITER = """
import sys
import numpy as np
from rnnbook import snapshot
step = 0
while True:
    step += 1
    snapshot.save(sys.argv[1], {"a": np.full(200_000, step, np.int64)}, {"step": step})
    print(step, flush=True)
"""


def test_a_process_that_is_killed_while_it_writes(tmp_path):
    """Whenever it comes, there is a whole snapshot, not older than the last one whose writing was complete."""
    path, rng = tmp_path / "a", np.random.default_rng(0)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            said = process.stdout.read().split()
        arrays, facts = snapshot.load(path)
        assert np.all(arrays["a"] == facts["step"]) and facts["step"] >= int(said[-1] if said else 1)
        path.unlink()


def test_a_link_stays_a_link_and_permissions_are_the_usual_ones(tmp_path):
    (tmp_path / "folder").mkdir()
    link, target = tmp_path / "link", tmp_path / "folder" / "target"
    link.symlink_to(target)
    snapshot.save(link, {}, {"step": 1})
    assert link.is_symlink() and snapshot.load(target) == ({}, {"step": 1})
    other = tmp_path / "other"
    other.write_text("")
    assert target.stat().st_mode == other.stat().st_mode
