"""Parameters by PyTorch's names, in PyTorch's files, and in ONNX's order."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_padded import flat

from rnnbook import bidirectional, gru, lstm, rnn, stacked, state_dict

REFERENCE = Path(__file__).parent / "reference"
CELLS = [rnn, lstm, gru]


def parameters_of(cell, layers=2, directions=2, dtype=np.float64):
    rng = np.random.default_rng(0)
    return stacked.initialize(3, 4, layers, cell=cell, bidirectional=directions == 2, rng=rng, dtype=dtype)


def same(one, two):
    for a, b in zip(flat(one), flat(two), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers, directions", [(1, 1), (3, 1), (1, 2), (2, 2), (11, 1)])
def test_names_there_and_back(cell, layers, directions):
    parameters = parameters_of(cell, layers, directions)
    for prefix in ("", "model.encoder."):
        named = state_dict.to_state_dict(parameters, prefix=prefix)
        assert all(name.startswith(prefix) for name in named) and len(named) == 4 * layers * directions
        shuffled = dict(sorted(named.items()))
        if prefix:
            shuffled["model.decoder.weight"] = np.zeros(3)
        same(state_dict.from_state_dict(shuffled, cell=cell, prefix=prefix), parameters)
    if directions == 2:
        np.testing.assert_array_equal(named["model.encoder.bias_hh_l0_reverse"], parameters[0].reverse.bias_hh)


def test_a_network_without_biases():
    named = state_dict.to_state_dict(parameters_of(gru))
    without = {name: array for name, array in named.items() if not name.startswith("bias")}
    for layer in state_dict.from_state_dict(without, cell=gru):
        for direction in layer:
            assert direction.bias_ih.shape == (12,) and not direction.bias_ih.any() and not direction.bias_hh.any()


def test_a_file_that_pytorch_wrote():
    """An LSTM of two layers and both directions, integers, a transposed tensor, and two views of one storage."""
    loaded = state_dict.load(REFERENCE / "state_dict.pt")
    expected = np.load(REFERENCE / "state_dict.npz")
    assert list(loaded) == expected.files
    for name in expected.files:
        assert loaded[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(loaded[name], expected[name])
    parameters = state_dict.from_state_dict(loaded, cell=lstm, prefix="lstm.")
    assert parameters[1].reverse.weight_ih.shape == (8, 4) and parameters[0].forward.bias_hh.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_save_and_load(tmp_path, dtype):
    named = state_dict.to_state_dict(parameters_of(lstm, dtype=dtype))
    named |= {"scalar": np.array(1.5, dtype), "empty": np.zeros((0, 3), dtype), "turned": named["weight_ih_l0"].T}
    path = tmp_path / "model.pt"
    state_dict.save(path, named)
    loaded = state_dict.load(path)
    assert list(loaded) == list(named)
    for name, array in named.items():
        assert loaded[name].dtype == dtype and loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].flags.writeable


def test_pytorch_reads_what_is_written(tmp_path):
    torch = pytest.importorskip("torch")
    named = state_dict.to_state_dict(parameters_of(lstm, dtype=np.float32))
    state_dict.save(tmp_path / "model.pt", named)
    network = torch.nn.LSTM(3, 4, 2, bidirectional=True)
    network.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    for name, parameter in network.named_parameters():
        np.testing.assert_array_equal(parameter.detach().numpy(), named[name])


# Files that are none, or mean harm.


class Evil:
    def __reduce__(self):
        return eval, ("1/0",)


def archived(pickled, **files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in files.items():
            archive.writestr(f"archive/data/{name}", content)
    file.seek(0)
    return file


def tensor(offset=0, size=(2,), stride=(1,), numel=2, function="torch._utils\n_rebuild_tensor_v2"):
    """Pickle {"a": a tensor of a storage called k}, protocol 0 but for the persistent id."""

    def numbers(values):
        return "(" + "".join(f"I{value}\n" for value in values) + "t"

    storage = f"(Vstorage\nctorch\nFloatStorage\nVk\nVcpu\nI{numel}\ntQ"
    return f"(dVa\nc{function}\n({storage}I{offset}\n{numbers(size)}{numbers(stride)}I00\nNtRs.".encode()


def test_the_pickle_of_these_tests_is_right():
    np.testing.assert_array_equal(state_dict.load(archived(tensor(), k=b"\0\0\x80\x3f\0\0\0\x40"))["a"], [1.0, 2.0])


@pytest.mark.parametrize(
    "file, message",
    [
        (io.BytesIO(b"no archive"), "File is not a zip file"),
        (io.BytesIO(), "File is not a zip file"),
        (archived(pickle.dumps(Evil())), "eval has no place in a state dict"),
        (archived(pickle.dumps({"a": np.zeros(2)})), "has no place in a state dict"),
        (archived(pickle.dumps(["a"])), "a file with something else"),
        (archived(pickle.dumps({"a": 1})), "a file with something else"),
        (archived(b""), "Ran out of input"),
        (archived(tensor()), "There is no item named"),
        (archived(tensor(), k=b"\0" * 7), "storage k is damaged"),
        (archived(tensor(size=(3,)), k=b"\0" * 8), "reaches beyond its storage"),
        (archived(tensor(offset=1), k=b"\0" * 8), "reaches beyond its storage"),
        (archived(tensor(offset=-1), k=b"\0" * 8), "a tensor has shape"),
        (archived(tensor(stride=(-1,)), k=b"\0" * 8), "a tensor has shape"),
        (archived(tensor(stride=(2,)), k=b"\0" * 8), "reaches beyond its storage"),
        (archived(tensor(size=(10**9,), stride=(0,)), k=b"\0" * 8), "reaches beyond its storage"),
        (archived(tensor(size=(2, 1)), k=b"\0" * 8), "a tensor has shape"),
        (archived(tensor(function="os\nsystem"), k=b"\0" * 8), "os.system has no place"),
        (archived(tensor(function="torch\nDoubleStorage"), k=b"\0" * 8), "expected a state dict saved by PyTorch"),
    ],
)
def test_files_that_are_none(file, message):
    with pytest.raises(ValueError, match=f"path: .*{message}"):
        state_dict.load(file)


def test_more_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        state_dict.load(tmp_path / "missing.pt")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", tensor())
        archive.writestr("archive/data/k", bytes(10**6))
    with pytest.raises(ValueError, match="it is compressed"):
        state_dict.load(bomb)
    with pytest.raises(TypeError, match="weight: expected dtype float32 or float64, got int64"):
        state_dict.save(io.BytesIO(), {"weight": np.arange(3)})
    with pytest.raises(TypeError, match="expected names that are strings, got 3"):
        state_dict.save(io.BytesIO(), {3: np.zeros(3)})


# ONNX.


@pytest.mark.parametrize("cell", CELLS)
def test_onnx_there_and_back(cell):
    for layer in (parameters_of(cell)[1], parameters_of(cell, directions=1)[0]):
        converted = state_dict.to_onnx(layer, cell=cell)
        directions = 2 if isinstance(layer, bidirectional.Parameters) else 1
        rows = len(flat(layer)[0])
        assert converted.R.shape == (directions, rows, 4) and converted.B.shape == (directions, 2 * rows)
        same(state_dict.from_onnx(converted, cell=cell), layer)


def test_onnx_order_of_the_gates():
    """By name: the operators' documentation has iofc for the LSTM and zrh for the GRU."""
    for cell, ours, onnx in ((lstm, "ifgo", "iofg"), (gru, "rzn", "zrn")):
        marks = np.array([ord(gate) for gate in ours], float)
        column = marks[:, None]
        converted = state_dict.to_onnx(cell.Parameters(column, column, marks, marks), cell=cell)
        assert "".join(chr(int(mark)) for mark in converted.W[0, :, 0]) == onnx
        assert "".join(chr(int(mark)) for mark in converted.B[0]) == 2 * onnx


# Wrong arguments.


def test_wrong_arguments():
    named = state_dict.to_state_dict(parameters_of(lstm))
    del named["bias_hh_l1_reverse"]
    with pytest.raises(KeyError, match="expected bias_hh_l1_reverse, got weight_ih_l0, .* and 11 more"):
        state_dict.from_state_dict(named, cell=lstm)
    named = state_dict.to_state_dict(parameters_of(lstm))
    for changes, error, message in [
        ({"weight_hr_l0": np.zeros((2, 4))}, ValueError, "got also weight_hr_l0"),
        ({"weight_ih_l3": np.zeros((2, 4))}, ValueError, "got also weight_ih_l3"),
        ({"weight_ih_l1": np.zeros((16, 3))}, ValueError, r"weight_ih_l1: expected shape \(4H, d\) with .*d = 8"),
        ({"bias_ih_l0": np.zeros(12)}, ValueError, r"bias_ih_l0: expected shape \(4H,\) with 4H = 16, got \(12,\)"),
        ({"bias_ih_l0": np.zeros(16, np.float32)}, TypeError, "bias_ih_l0: expected dtype float64 as weight_hh_l0 has"),
        ({"bias_ih_l0": "text"}, TypeError, "bias_ih_l0: expected an array of numbers"),
    ]:
        with pytest.raises(error, match=message):
            state_dict.from_state_dict(named | changes, cell=lstm)
    with pytest.raises(ValueError, match=r"weight_ih_l0: expected shape \(3H, d\) with .*3H = 12.*, got \(16, 3\)"):
        state_dict.from_state_dict(named, cell=gru)
    with pytest.raises(KeyError, match="expected encoder.weight_hh_l0, got nothing"):
        state_dict.from_state_dict({}, cell=lstm, prefix="encoder.")
    for call in (state_dict.from_state_dict, state_dict.to_onnx, state_dict.from_onnx):
        with pytest.raises(TypeError, match="cell: expected one of the modules rnnbook.rnn, lstm, gru, got 'lstm'"):
            call({}, cell="lstm")
    with pytest.raises(TypeError, match=r"parameters\[0\]: expected a cell's Parameters, got int"):
        state_dict.to_state_dict((1,))
    with pytest.raises(TypeError, match="parameters: expected a tuple with an entry for each layer, got Parameters"):
        state_dict.to_state_dict(parameters_of(lstm)[0])
    with pytest.raises(TypeError, match="parameters: expected a cell's Parameters, got Parameters"):
        state_dict.to_onnx(parameters_of(gru)[0], cell=lstm)
    with pytest.raises(ValueError, match=r"R: expected shape \(directions, 4H, H\) for rnnbook.lstm, got \(1, 3, 1\)"):
        state_dict.from_onnx((np.zeros((1, 3, 1)), np.zeros((1, 3, 1)), None), cell=lstm)
    with pytest.raises(TypeError, match="parameters: expected W, R and B, got NoneType"):
        state_dict.from_onnx(None, cell=lstm)
