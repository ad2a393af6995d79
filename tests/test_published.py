"""Numbers that the tests of other runtimes have, hard-coded there, in single precision.

ONNX Runtime: onnxruntime/test/providers/cpu/rnn/deep_cpu_lstm_op_test.cc and deep_cpu_gru_op_test.cc. Keras:
keras/src/layers/rnn/gru_test.py. Taken from there are the inputs and the expected outputs, which nobody can claim.
"""

import numpy as np
import pytest

from rnnbook import bidirectional, gru, lstm, lstm_variants, padded
from rnnbook.state_dict import OnnxParameters, from_onnx

SHAPE = 2, 2, 1  # T, N, d of ONNX Runtime's "simple weights"
FORWARD = [[[0.28828835, 0.36581863, 0.45679406], [0.34526032, 0.47220859, 0.55850911]],
           [[0.84196719, 0.89402526, 0.91073048], [0.85882828, 0.90703777, 0.92382453]]]  # fmt: skip
REVERSE = [[[0.55391603, 0.69201493, 0.82696019], [0.64046413, 0.82303363, 0.91610711]],
           [[0.61249432, 0.70678632, 0.74094619], [0.62759886, 0.71640738, 0.74624585]]]  # fmt: skip
CELL_FORWARD = [[1.27731147, 1.44181041, 1.53179041], [1.3249796, 1.51063104, 1.61451544]]
CELL_REVERSE = [[1.27850552, 1.46799496, 1.57641257], [1.34960834, 1.54772296, 1.65633056]]
CELL_SHORT = [[0.52497941, 0.54983425, 0.5744428], [0.54983425, 0.59868795, 0.64565659]]  # after the first step


def close(actual, expected, tolerance=2e-6):
    np.testing.assert_allclose(actual, np.asarray(expected).reshape(np.shape(actual)), rtol=0, atol=tolerance)


def simple_lstm():
    W = np.array([0.1, 0.2, 0.3, 0.4, 1.0, 2.0, 3.0, 4.0, 10.0, 11.0, 12.0, 13.0]).reshape(1, 12, 1)
    inputs = np.array([1.0, 2.0, 10.0, 11.0]).reshape(SHAPE)
    return inputs, from_onnx((W, np.full((1, 12, 3), 0.1), None), cell=lstm)


def test_lstm_in_both_directions():
    """LSTMTest: BidirectionalSimpleWeightsNoBiasTwoRows."""
    inputs, parameters = simple_lstm()
    zeros = np.zeros((2, 2, 3))
    both = bidirectional.Parameters(parameters, parameters)
    (hidden, (final_hidden, final_cell)), _ = bidirectional.forward(inputs, (zeros, zeros), both, cell=lstm)
    close(hidden, np.concatenate([FORWARD, REVERSE], axis=-1))
    close(final_hidden, [FORWARD[1], REVERSE[0]])
    close(final_cell, [CELL_FORWARD, CELL_REVERSE])


@pytest.mark.parametrize("lengths", [[1, 2], [2, 1]])
def test_lstm_of_unequal_lengths(lengths):
    """LSTMTest: MixedSequenceLengths and MixedSequenceLengthsReverse."""
    inputs, parameters = simple_lstm()
    short = lengths.index(1)
    zeros = np.zeros((2, 3))
    options = {"cell": lstm, "lengths": lengths}
    (hidden, (final_hidden, final_cell)), _ = padded.forward(inputs, (zeros, zeros), parameters, **options)
    expected, cell = np.array(FORWARD), np.array(CELL_FORWARD)
    expected[1, short], cell[short] = 0, CELL_SHORT[short]
    close(hidden, expected)
    close(final_hidden, [expected[lengths[n] - 1, n] for n in range(2)])
    close(final_cell, cell)

    both = bidirectional.Parameters(parameters, parameters)
    zeros = np.zeros((2, 2, 3))
    (hidden, (final_hidden, final_cell)), _ = bidirectional.forward(inputs, (zeros, zeros), both, **options)
    expected, cell = np.array(REVERSE), np.array(CELL_REVERSE)
    expected[:, short], cell[short] = [FORWARD[0][short], np.zeros(3)], CELL_SHORT[short]
    close(hidden[..., 3:], expected)
    close(final_hidden[1], expected[0])
    close(final_cell[1], cell)


ONNX_LSTM = OnnxParameters(
    W=np.array([
        -0.494659, 0.0453352, -0.487793, 0.417264, -0.0175329, 0.489074, -0.446013, 0.414029,
        -0.0091708, -0.255364, -0.106952, -0.266717, -0.0888852, -0.428709, -0.283349, 0.208792,
    ]).reshape(1, 8, 2),
    R=np.array([
        0.146626, -0.0620289, -0.0815302, 0.100482, -0.219535, -0.306635, -0.28515, -0.314112,
        -0.228172, 0.405972, 0.31576, 0.281487, -0.394864, 0.42111, -0.386624, -0.390225,
    ]).reshape(1, 8, 2),
    B=np.array([
        0.381619, 0.0323954, -0.14449, 0.420804, -0.258721, 0.45056, -0.250755, 0.0967895, 0, 0, 0, 0, 0, 0, 0, 0,
    ]).reshape(1, 16),
)  # fmt: skip
PEEPHOLES = np.array([[0.2345, 0.5235], [0.4378, 0.3475], [0.8927, 0.3456]])  # i, o, f
X = np.array([[-0.455351, -0.276391], [-0.185934, -0.269585]])[:, None]


@pytest.mark.parametrize(
    "inputs, peepholes, bias, coupled, hidden, cell",
    [
        (X, True, True, False, [-0.0251062475, 0.0561261699, -0.03277518, 0.05935364], [-0.0780206, 0.098829]),
        (X, True, False, False, [0.04154162, 0.01969122, 0.05298181, 0.0030589], [0.11169686, 0.00625722]),
        (X, True, True, True, [-0.02510626, 0.05612619, -0.0314321, 0.05087372], [-0.07474898, 0.08480116]),
        (X[::-1], True, True, False, [-0.03068724, 0.02803503, -0.03189282, 0.07626793], [-0.07536839, 0.12079399]),
        (X[::-1], False, True, False, [-0.03124871, 0.02785304, -0.03307575, 0.07445574], [-0.07669979, 0.11975205]),
    ],
    ids=["ForwardPeepHole", "ForwardNoBiasUsePeepholes", "ForwardInputForget", "Backward", "Backward_gpu"],
)
def test_lstm_with_peepholes_and_coupled_gates(inputs, peepholes, bias, coupled, hidden, cell):
    """LSTMTest: ONNXRuntime_TestLSTM, with the ending that is the case's name."""
    four = from_onnx(ONNX_LSTM if bias else (*ONNX_LSTM[:2], None), cell=lstm)
    weight_ch = PEEPHOLES[[0, 2, 1]] if peepholes else np.zeros((3, 2))
    zeros = np.zeros((1, 2))
    parameters = lstm_variants.Parameters(*four, weight_ch)
    outputs, _ = lstm_variants.forward(inputs, zeros, zeros, parameters, coupled=coupled)
    close(outputs[0], hidden)
    close(outputs[1], hidden[2:])
    close(outputs[2], cell)
    if not peepholes:
        outputs, _ = lstm.forward(inputs, zeros, zeros, four)
        close(outputs[0], hidden)
        close(outputs[2], cell)


@pytest.mark.parametrize(
    "cell0, hidden, final_cell",
    [
        ([0.0, 0.0], [0.01797521, -0.07104912, -0.03174796, -0.0152949], [-0.07285583, -0.02545788]),
        ([0.63, 0.21], [0.12797015, 0.0097284, 0.02716939, 0.01842997], [0.06408449, 0.03139432]),
    ],
)
def test_lstm_with_initial_states(cell0, hidden, final_cell):
    """LSTMTest: ONNXRuntime_TestLSTMForwardHiddenState and ONNXRuntime_TestLSTMForwardCellState."""
    outputs, _ = lstm.forward(X, [[0.34, 0.72]], [cell0], from_onnx(ONNX_LSTM, cell=lstm))
    close(outputs[0], hidden)
    close(outputs[2], final_cell)


def test_gru_in_both_directions_without_bias():
    """GRUTest: BidirectionalDefaultActivationsSimpleWeightsNoBiasTwoRows."""
    W = np.array([0.1, 0.2, 0.3, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0]).reshape(1, 9, 1)
    parameters = from_onnx((W, np.full((1, 9, 3), 0.1), None), cell=gru)
    inputs = np.array([1.0, 2.0, 10.0, 11.0]).reshape(SHAPE)
    both = bidirectional.Parameters(parameters, parameters)
    (hidden, _), _ = bidirectional.forward(inputs, (np.zeros((2, 2, 3)),), both, cell=gru, reset="before")
    forward = [[0.4750208, 0.450166, 0.4255575, 0.45016602, 0.40131235, 0.35434368],
               [0.6027093, 0.5083023, 0.44950223, 0.5754369, 0.45485455, 0.3747841]]  # fmt: skip
    reverse = [[0.6082785, 0.50623393, 0.4426924, 0.5803454, 0.4527356, 0.36886263],
               [0.26894143, 0.11920292, 0.04742587, 0.24973989, 0.09975048, 0.03557118]]  # fmt: skip
    close(hidden[..., :3], np.reshape(forward, (2, 2, 3)))
    close(hidden[..., 3:], np.reshape(reverse, (2, 2, 3)))


@pytest.mark.parametrize(
    "reset, steps, expected",
    [
        ("before", 1, [0.16783132, -0.11754231, 0.11977843, 0.2046872, -0.10372487, 0.15365849,
                       0.22688604, -0.19698407, 0.14017843, 0.33386092, -0.15799662, 0.2381169]),
        ("after", 1, [0.15024948, -0.11097029, -0.02121867, 0.18887489, -0.09747667, 0.02093463,
                      0.19538902, -0.19016478, -0.05644283, 0.30856851, -0.15190377, 0.05999807]),
        ("after", -1, [0.12252139, -0.12032216, -0.05064924, 0.21249877, -0.08884402, 0.04751285,
                       0.20910699, -0.18880953, -0.04005555, 0.29700265, -0.15308119, 0.04537245]),
    ],
)  # fmt: skip
def test_gru_with_bias_in_both_variants(reset, steps, expected):
    """GRUTest: (Forward|Reverse)DefaultActivationsSimpleWeightsWithBiasBatchParallel(LinearBeforeReset)."""
    W = np.array([0.1, 0.2, 0.3, 0.2, 0.3, 0.1, 0.3, 0.1, 0.2]).reshape(1, 9, 1)
    Wb, Rb = [-0.01, 0.1, 0.01, -0.2, -0.02, 0.02, 0.3, -0.3, -0.3], [-0.03, 0.5, -0.7, 0.05, -0.7, 0.3, 0.07, -0.03, 0.5]
    parameters = from_onnx((W, np.full((1, 9, 3), 0.1), np.array([Wb + Rb])), cell=gru)
    inputs = np.array([-0.1, 0.2, -0.3, 0.4]).reshape(SHAPE)[::steps]
    (hidden, _), _ = gru.forward(inputs, np.zeros((2, 3)), parameters, reset=reset)
    close(hidden, np.reshape(expected, (2, 2, 3)))


@pytest.mark.parametrize(
    "reset, steps, bias, expected",
    [
        ("after", 1, 0.03, [0.5217289, 0.6371659, 0.39384964]),
        ("after", -1, 0.03, [0.24406259, 0.611516, 0.3928808]),
        ("before", 1, 0.03, [0.51447755, 0.6426879, 0.40208298]),
        ("after", 1, 0.0, [0.49988455, 0.64701194, 0.4103359]),
    ],
)
def test_gru_of_keras(reset, steps, bias, expected):
    """GRUTest.test_correctness: constant weights, so that the order of the gates does not matter.

    Reset after the product Keras has two biases, before it one.
    """
    inputs = np.arange(72.0).reshape(3, 6, 4).swapaxes(0, 1)[::steps]
    bias_hh = np.full(9, bias if reset == "after" else 0.0)
    parameters = gru.Parameters(np.full((9, 4), 0.01), np.full((9, 3), 0.02), np.full(9, bias), bias_hh)
    (_, final), _ = gru.forward(inputs, np.zeros((3, 3)), parameters, reset=reset)
    close(final, np.repeat(expected, 3), 1e-5)


def test_gru_of_keras_with_an_initial_state():
    """GRUTest.test_pass_initial_state."""
    inputs = np.arange(24.0).reshape(2, 4, 3).swapaxes(0, 1)
    parameters = gru.Parameters(np.full((6, 3), 0.01), np.full((6, 2), 0.02), np.full(6, 0.03), np.full(6, 0.03))
    (_, final), _ = gru.forward(inputs, np.arange(4.0).reshape(2, 2), parameters)
    close(final, [[0.23774096, 0.33508456], [0.83659905, 1.0227708]])
