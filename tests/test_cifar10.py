"""CIFAR-10's binary version, in small files of its format, and the command that trains on it."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from rnnbook import cifar10, train

RECORDS = 40
NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def write(folder, records=RECORDS, seed=0):
    """Write images that can be told apart: class k is bright in the columns from 3k on."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for name in (*cifar10.TRAINING_FILES, cifar10.TEST_FILE):
        labels = rng.integers(0, 10, records).astype(np.uint8)
        images = rng.integers(0, 80, (records, 3, 32, 32)).astype(np.uint8)
        for image, label in zip(images, labels):
            image[:, :, 3 * label : 3 * label + 3] += 170
        table = np.concatenate([labels[:, None], images.reshape(records, -1)], axis=1)
        (folder / name).write_bytes(table.tobytes())
    (folder / cifar10.NAMES_FILE).write_text("\n".join(NAMES) + "\n\n")  # it ends with an empty line, as published
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "cifar")


def test_every_byte_is_where_it_should_be(folder):
    data = cifar10.read(folder, records=RECORDS)
    assert data.images.shape == (5 * RECORDS, 3, 32, 32) and data.test_images.shape == (RECORDS, 3, 32, 32)
    assert data.names == tuple(NAMES) and data.images.dtype == data.labels.dtype == np.uint8
    for n, colour, row, column in ((0, 0, 0, 0), (RECORDS, 1, 2, 3), (3 * RECORDS + 7, 2, 31, 31)):
        record = (folder / f"data_batch_{n // RECORDS + 1}.bin").read_bytes()[n % RECORDS * 3073 :][:3073]
        assert data.images[n, colour, row, column] == record[1 + 1024 * colour + 32 * row + column]
        assert data.labels[n] == record[0]
    record = (folder / "test_batch.bin").read_bytes()[-3073:]
    assert data.test_labels[-1] == record[0] and data.test_images[-1].tobytes() == record[1:]


def test_rows_and_split(folder):
    data = cifar10.read(folder, records=RECORDS)
    training, validation, test = cifar10.split(data)
    assert [part.size for part in (training, validation, test)] == [180, 20, 40]
    np.testing.assert_array_equal(validation.labels, data.labels[9::10])
    np.testing.assert_array_equal(np.sort(np.r_[training.labels, validation.labels]), np.sort(data.labels))
    inputs, targets, lengths = training.batch(slice(None))
    assert inputs.shape == (32, 180, 96) and inputs.dtype == np.float32 and lengths is None and targets.dtype == np.int64
    assert inputs.flags.c_contiguous
    for colour in range(3):
        of_colour = inputs[..., 32 * colour : 32 * colour + 32].astype(np.float64)
        assert abs(of_colour.mean()) < 1e-6 and abs(of_colour.std() - 1) < 1e-6
    mean, scale = training.images.mean(axis=(0, 2, 3)), training.images.std(axis=(0, 2, 3))
    inputs, targets, _ = test.batch([5, 3])
    np.testing.assert_array_equal(targets, data.test_labels[[5, 3]])
    expected = (data.test_images[3, 2, 17, 4] - mean[2]) / scale[2]  # by those of the training
    np.testing.assert_allclose(inputs[17, 1, 2 * 32 + 4], expected, rtol=1e-5)
    small = cifar10.split(data, limit=7)
    assert [part.size for part in small] == [7, 7, 7]
    np.testing.assert_array_equal(small.training.images, training.images[:7])
    assert not np.array_equal(small.training.mean, training.mean)
    assert small.training.fingerprint() != training.fingerprint() == cifar10.split(data).training.fingerprint()


def test_images_of_one_colour(folder):
    data = cifar10.read(folder, records=RECORDS)
    data.images[:, 1] = 200
    inputs, _, _ = cifar10.split(data).training.batch([0])
    assert np.isfinite(inputs).all() and not inputs[..., 32:64].any()


def test_files_of_the_full_size(tmp_path):
    """Sparse ones, so that they take no place."""
    for name in (*cifar10.TRAINING_FILES, cifar10.TEST_FILE):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 30_730_000)
    (tmp_path / cifar10.NAMES_FILE).write_text("\n".join(NAMES))
    data = cifar10.read(tmp_path)
    assert data.images.shape == (50000, 3, 32, 32) and len(data.test_labels) == 10000
    os.truncate(tmp_path / "data_batch_4.bin", 30_730_000 - 3073)
    message = "data_batch_4.bin: expected 30730000 bytes, 10000 records of 3073, got 30726927, which are 9999"
    with pytest.raises(ValueError, match=message):
        cifar10.read(tmp_path)


def first_label(folder, value):
    path = folder / "data_batch_3.bin"
    data = bytearray(path.read_bytes())
    data[3073 * 17] = value
    path.write_bytes(data)


def python_version(folder):
    for name in cifar10.TRAINING_FILES:
        (folder / name).rename(folder / name.removesuffix(".bin"))


def moved(folder):
    inside = folder / "cifar-10-batches-bin"
    inside.mkdir()
    for path in list(folder.iterdir()):
        if path.is_file():
            path.rename(inside / path.name)


SIZE = RECORDS * 3073
WRONG = {
    "a missing file": (lambda f: (f / "data_batch_2.bin").unlink(), "data_batch_2.bin: no such file$"),
    "no names": (lambda f: (f / "batches.meta.txt").unlink(), "batches.meta.txt: no such file$"),
    "a short file": (
        lambda f: os.truncate(f / "test_batch.bin", SIZE - 1),
        f"test_batch.bin: expected {SIZE} bytes, 40 records of 3073, got {SIZE - 1}$",
    ),
    "a long file": (
        lambda f: os.truncate(f / "data_batch_1.bin", SIZE + 3073),
        f"data_batch_1.bin: .* got {SIZE + 3073}, which are 41$",
    ),
    "an empty file": (lambda f: (f / "data_batch_5.bin").write_bytes(b""), "data_batch_5.bin: .* got 0$"),
    "a huge file": (lambda f: os.truncate(f / "data_batch_1.bin", 2**40), "data_batch_1.bin: expected 122920 bytes"),
    "a huge file of names": (
        lambda f: os.truncate(f / "batches.meta.txt", 2**40),
        "batches.meta.txt: expected ten names, .* bytes",
    ),
    "nine names": (
        lambda f: (f / "batches.meta.txt").write_text("\n".join(NAMES[:9])),
        "batches.meta.txt: expected ten names, one on each line, got 9",
    ),
    "names in bytes": (
        lambda f: (f / "batches.meta.txt").write_bytes(b"\xff" * 20),
        "batches.meta.txt: .* got something that is no text",
    ),
    "a label": (lambda f: first_label(f, 10), "data_batch_3.bin: record 17: expected a label from 0 to 9, got 10"),
    "the version for Python": (
        python_version,
        "data_batch_1.bin: no such file; this is the version for Python, of pickles: expected the binary",
    ),
    "the folder above": (moved, "data_batch_1.bin: no such file; it is in .*cifar-10-batches-bin"),
    "a folder for a file": (
        lambda f: ((f / "test_batch.bin").unlink(), (f / "test_batch.bin").mkdir()),
        "test_batch.bin: expected a file",
    ),
    "CIFAR-100": (lambda f: [(f / name).unlink() for name in cifar10.TRAINING_FILES], "data_batch_1.bin: no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused_by_name(folder, case, capsys):
    """By the function, and by the command on one line."""
    change, message = WRONG[case]
    change(folder)
    with pytest.raises((ValueError, OSError), match=message):
        cifar10.read(folder, records=RECORDS)
    assert train.main(["--data", str(folder), "--records", str(RECORDS)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert re.search("^python -m rnnbook.train: error: .*" + message.removesuffix("$") , err)


def test_what_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        cifar10.read(tmp_path / "nowhere")
    (tmp_path / "cifar-10-binary.tar.gz").touch()
    with pytest.raises(NotADirectoryError, match="tar.gz: expected the folder that the archive unpacks to, got a file"):
        cifar10.read(tmp_path / "cifar-10-binary.tar.gz")
    for records, error in ((0, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="records: expected"):
            cifar10.read(tmp_path, records=records)


COMMON = "--cell gru --hidden 12 --batch-size 20 --learning-rate 0.02 --epochs 5 --checkpoint-every 2".split()


def command(*arguments):
    """Run the command in this process and return its exit status."""
    try:
        return train.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The command, run to its end: its arguments, its lines, and the bytes of its checkpoint."""
    work = tmp_path_factory.mktemp("whole")
    arguments = ["--data", write(work / "cifar"), "--records", RECORDS, *COMMON, "--checkpoint"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        assert command(*arguments, work / "whole") == 0
    assert err.getvalue() == ""
    return arguments, out.getvalue().splitlines(), (work / "whole").read_bytes()


def test_the_command_learns(whole):
    _, lines, _ = whole
    assert lines[0] == "images: 180 for training, 20 for validation, 40 for the test; 32 rows of 96 numbers"
    pattern = r"epoch (\d+): training loss (\S+), validation loss (\S+), validation accuracy (\S+)"
    epochs = [re.fullmatch(pattern, line) for line in lines[1:6]]
    assert [int(line[1]) for line in epochs] == [1, 2, 3, 4, 5]
    assert float(epochs[0][2]) > 2 * float(epochs[-1][2])
    assert re.fullmatch(r"best after epoch \d, by validation loss; accuracy of these parameters:", lines[6])
    accuracies = dict(line.split() for line in lines[7:])
    assert list(accuracies) == ["training", "validation", "test"]
    assert min(map(float, accuracies.values())) > 0.5  # chance is 0.1


def test_the_command_on_few_images_and_with_other_networks(folder, capsys):
    more = "--cell rnn --layers 2 --bidirectional --hidden 4 --limit 6 --seed 5 --patience 1"
    more += " --optimizer sgd --momentum 0.5 --clip inf"
    assert command("--data", folder, "--records", RECORDS, "--epochs", 3, *more.split()) == 0
    assert capsys.readouterr().out.startswith("images: 6 for training, 6 for validation, 6 for the test")
    assert command("--digits", "--epochs", 1, *more.split()) == 0
    assert capsys.readouterr().out.startswith("images: 6 for training, 6 for validation, 6 for the test; 8 rows of 8")


def test_the_command_resumes(whole, tmp_path, capsys):
    arguments, lines, expected = whole
    path = tmp_path / "parts"
    assert command(*arguments, path, "--epochs", 2) == 0
    assert capsys.readouterr().out.splitlines()[:3] == lines[:3]
    assert command(*arguments, path) == 2
    message = f"{path}: it is there already; resume goes on from it"
    assert capsys.readouterr().err == f"python -m rnnbook.train: error: {message}\n"
    assert command(*arguments, path, "--resume") == 0
    assert capsys.readouterr().out.splitlines() == [lines[0], *lines[3:]]
    assert path.read_bytes() == expected
    assert command(*arguments, path, "--resume", "--seed", 1) == 2
    assert "written with seed = 0, expected the same, got 1" in capsys.readouterr().err
    path.write_bytes(expected[:-5])
    assert command(*arguments, path, "--resume") == 2
    assert "not a complete snapshot" in capsys.readouterr().err


ENDS = [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, True), (signal.SIGKILL, -9, False)]


@pytest.mark.parametrize("number, status, said", ENDS, ids=lambda value: getattr(value, "name", ""))
def test_the_command_is_ended_and_resumes(whole, tmp_path, number, status, said):
    """By a signal, wherever it comes; what is left goes on to the same bytes as a run that was not ended."""
    arguments, _, _ = whole
    path, never = tmp_path / "parts", tmp_path / "never"
    line = [sys.executable, "-m", "rnnbook.train", *map(str, arguments), path, "--epochs", "1000000"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("epoch 2"):
            assert process.poll() is None
        time.sleep(0.01)
        process.send_signal(number)
        err = process.stderr.read()
    assert process.returncode == status
    assert err == (f"python -m rnnbook.train: interrupted; {path} goes on with --resume\n" if said else "")
    epochs = train.load(path).epoch + 2
    assert epochs >= 4
    assert command(*arguments, path, "--resume", "--epochs", epochs) == 0
    assert command(*arguments, never, "--epochs", epochs) == 0
    assert path.read_bytes() == never.read_bytes()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("", "one of the arguments --data --digits is required"),
        ("--digits --data x", "not allowed with argument"),
        ("--digits --hidden 0", "argument --hidden: expected a number that is at least 1, got 0"),
        ("--digits --hidden x", "argument --hidden: invalid whole number value: 'x'"),
        ("--digits --epochs -1", "argument --epochs: expected a number that is at least 1, got -1"),
        ("--digits --learning-rate nan", "argument --learning-rate: expected a number that is at least 0, got nan"),
        ("--digits --learning-rate inf", "argument --learning-rate: expected a number that is at least 0, got inf"),
        ("--digits --clip 0", "--clip: expected a number greater than 0, got 0.0"),
        ("--digits --momentum 0.5", "--momentum: expected --optimizer sgd with it"),
        ("--digits --optimizer sgd --momentum 1", "argument --momentum: expected a number that is at least 0 and less than 1"),
        ("--digits --resume", "--resume: expected --checkpoint FILE with it"),
        ("--digits --checkpoint-every 3", "--checkpoint-every: expected --checkpoint FILE with it"),
        ("--digits --records 3", "--records: expected --data DIR with it"),
        ("--digits --cell mlp", "argument --cell: invalid choice: 'mlp'"),
        ("--digits --cel gru", "unrecognized arguments: --cel gru"),
        ("--data /nowhere/at/all", "/nowhere/at/all: no such folder"),
        ("--digits --limit 5 --hidden 2 --checkpoint /nowhere/at/all", "/nowhere/at/all: No such file or directory"),
        ("--digits --limit 5 --hidden 2 --checkpoint /nowhere/at/all --resume", "/nowhere/at/all: No such file or directory"),
        ("--digits --limit 5 --hidden 2 --checkpoint README.md --resume", "README.md: not a complete snapshot"),
    ],
)
def test_errors_are_one_line(arguments, message, capsys):
    assert command(*arguments.split()) == 2
    err = capsys.readouterr().err
    assert err.startswith("python -m rnnbook.train: error: ") and message in err and err.count("\n") == 1


def test_help(capsys):
    assert command("--help") == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("--data DIR", "https://www.cs.toronto.edu/~kriz/cifar.html", "--checkpoint FILE", "(default: lstm)"):
        assert text in out
