"""Mistakes that people make in the backward passes of gated cells, put into the source one at a time.

As in `test_seeded_mistakes.py`: the module is built anew with the mistake, and every check that looks at it has to
reject it.
"""

import pytest
import test_cells
import test_lstm_variants
from test_cells import AFTER, BEFORE, LSTM
from test_seeded_mistakes import rebuilt

from rnnbook import gru, lstm, lstm_variants

# {function: {what is wrong: (the text, what stands there instead)}}
LSTM_FAST = {
    "forward": {
        "the weights of the gates in the wrong order": ("weights = rolled(weights, H)", "pass"),
        "the bias twice": ("parameters.bias_ih + parameters.bias_hh", "2 * parameters.bias_ih"),
    },
    "_views": {
        "f and i swapped in the cache": ("input_[:-1], forget[:-1]", "forget[:-1], input_[:-1]"),
        "the cell of the next step for that of this one": ("return cells,", "return np.roll(cells, -1, axis=0),"),
    },
    "_run": {
        "o for i": ("states[:-1, H : 3 * H]", "states[:-1, : 2 * H]"),
        "tanh of C forgotten": ("np.tanh(cell, tanh_cell)", "np.copyto(tanh_cell, cell)"),
        "σ without its half": ("np.add(sigmoids, half, sigmoids)", "pass"),
        "nothing kept": ("np.add(written, kept, cell)", "np.copyto(cell, written)"),
    },
    "_go_back": {
        "the carried cell's cotangent dropped": (
            "np.add(carried, into_cell, delta_cell)",
            "np.copyto(delta_cell, into_cell)",
        ),
        "nothing from the hidden state into the cell": (
            "np.add(carried, into_cell, delta_cell)",
            "np.copyto(delta_cell, carried)",
        ),
        "the carried hidden state's cotangent dropped": (
            "np.add(delta_hidden, cotangent, delta_hidden)",
            "np.copyto(delta_hidden, cotangent)",
        ),
        "forwards in time": ("factors[::-1, 2:],", "factors[:, 2:],"),
        "the forget gate's cotangent for the carried one": ("carried = previous_cell", "pass"),
    },
    "backward": {
        "the recurrent weights of the gates in the wrong order": (
            "rolled(parameters.weight_hh, H)",
            "parameters.weight_hh",
        ),
        "h_t for h_{t-1} in the gradient of W": ("rows(hidden[part])", "rows(hidden[1:][part])"),
        "the inputs backwards": ("rows(inputs[part])", "rows(inputs[part][::-1])"),
        "the mean over steps and batch": ("bias = of_weights[:, -1]", "bias = of_weights[:, -1] / len(local)"),
        "the gates in the order of the factors": (
            "of_weights = rolled(of_weights, -H)",
            "pass",
        ),
        "the final cell's cotangent for the hidden state's": ("[delta_hidden.T, delta_cell.T]", "[delta_cell.T, delta_cell.T]"),
    },
    "_local_factors": {
        "tanh for its derivative": ("1 - tanh_cell * tanh_cell", "tanh_cell"),
        "no derivative of σ in o": ("tanh_cell * o, 1 - o", "tanh_cell, o"),
        "C_{t-1} for the candidate": ("g * i, 1 - i", "previous * i, 1 - i"),
        "C_t for C_{t-1}": ("previous * f, 1 - f", "cell * f, 1 - f"),
        "σ′ for tanh′ in g": ("i, 1 - g * g", "i * g, 1 - g"),
        "the input gate for the forget gate on the carousel": ("factors[:, 5] = f", "factors[:, 5] = i"),
    },
    "reference_backward": {
        "the forget gate's path without C_{t-1}": (
            "delta_f, delta_i, delta_g = delta_cell * cells[t - 1],",
            "delta_f, delta_i, delta_g = delta_cell * cells[t],",
        ),
        "the carousel without its gate": ("delta_cell = delta_cell * f", "delta_cell = delta_cell * 1"),
        "no sum of the two paths into the cell": (
            "delta_cell = delta_cell + delta_hidden",
            "delta_cell = delta_hidden",
        ),
        "the gates in the order i, g, f, o": (
            "[delta_i * i * (1 - i), delta_f * f * (1 - f), delta_g * (1 - g**2),",
            "[delta_i * i * (1 - i), delta_g * (1 - g**2), delta_f * f * (1 - f),",
        ),
        "the recurrent weights transposed in sign": (
            "delta_hidden = delta_a @ weight_hh",
            "delta_hidden = -delta_a @ weight_hh",
        ),
        "the output gate's derivative forgotten": ("delta_o * o * (1 - o)", "delta_o"),
    },
}
GRU_BOTH = {
    "backward": {
        "h_t for h_{t-1} in the gradient of W": ("rows(hidden[part])", "rows(hidden[1:][part])"),
        "r and z swapped in the gradients": ("np.concatenate([rolled(of_hh[: 2 * H], H), of_hh[2 * H :]])", "of_hh"),
        "the gates of the inputs in the wrong order": (
            "_turned(parameters.weight_ih)",
            "parameters.weight_ih",
        ),
        "the bias of the first step only": (
            "of_ih[:, -1].copy()",
            "_turned(of_inputs[: inputs.shape[1]].sum(axis=0))",
        ),
    },
    "_local_factors": {
        "z for 1 - z": ("1 - z, 1 - n * n", "z, 1 - n * n"),
        "1 - z kept for z": ("factors[:, 0] = z", "factors[:, 0] = 1 - z"),
        "n - h for h - n": ("(previous - n)", "(n - previous)"),
        "h forgotten in the derivative by z": ("(previous - n)", "-n"),
        "the derivative of tanh forgotten": ("1 - z, 1 - n * n", "1 - z, np.ones_like(n)"),
        "no derivative of σ in r": ("recurrent * r, 1 - r", "recurrent, np.ones_like(r)"),
    },
    "reference_backward": {
        "the direct path dropped": ("        delta = delta * z\n", "        delta = 0 * z\n"),
        "n - h for h - n": ("delta * (h - n)", "delta * (n - h)"),
        "z for 1 - z": ("delta * (1 - z)\n", "delta * z\n"),
        "the cotangents of later steps dropped": (
            "delta = cotangents_hidden[t - 1] + delta",
            "delta = cotangents_hidden[t - 1]",
        ),
        "the weights of r and z swapped": ("delta_a_z @ W_z + delta_a_r @ W_r", "delta_a_z @ W_r + delta_a_r @ W_z"),
    },
}
GRU_AFTER = {
    "backward": {
        "both biases alike": ("(of_hh if reset == \"after\" else of_ih)[:, -1].copy()", "of_ih[:, -1].copy()"),
        "W_n's gradient without r": (
            "of_hh += local[:, H:].T",
            "of_hh += np.roll(of_inputs, -H, axis=1).T",
        ),
    },
    "_go_back_after": {
        "the kept state's cotangent dropped": ("np.add(delta, kept, delta)", "pass"),
        "the carried cotangent dropped": ("np.add(delta, cotangent, delta)", "np.copyto(delta, cotangent)"),
        "the weights of one gate only": (
            "through_weights(of_products, delta)",
            "through_weights(of_products * (np.arange(len(of_products)) < len(delta))[:, None], delta)",
        ),
    },
    "reference_backward": {
        "the reset gate's product rule: W_n h forgotten": (
            "delta_a_n * recurrent, delta_a_n * r",
            "delta_a_n, delta_a_n * r",
        ),
        "the reset gate's product rule: r forgotten": (
            "delta_a_n * recurrent, delta_a_n * r",
            "delta_a_n * recurrent, delta_a_n",
        ),
        "both biases alike": ("delta_a_z, delta_recurrent]", "delta_a_z, delta_a_n]"),
    },
}
GRU_BEFORE = {
    "backward": {
        "W_n's gradient from h instead of r ⊙ h": ("rows(reset_gate[part]) * previous", "previous"),
    },
    "_go_back_before": {
        "the reset gate's cotangent before it comes back through W_n": (
            "through_candidate(n, through)",
            "np.copyto(through, n)",
        ),
        "nothing through r ⊙ h into h": ("np.add(delta, to_state, delta)", "pass"),
        "the kept state's cotangent dropped": ("np.add(delta, kept, delta)", "pass"),
        "the carried cotangent dropped": ("np.add(delta, cotangent, delta)", "np.copyto(delta, cotangent)"),
    },
    "reference_backward": {
        "W_n's gradient from h instead of r ⊙ h": ("delta_recurrent.T @ (r * h)", "delta_recurrent.T @ h"),
        "the reset gate forgotten on the way to h": (
            "delta = delta + delta_product * r",
            "delta = delta + delta_product",
        ),
        "the reset gate's cotangent without h": ("delta_r = delta_product * h", "delta_r = delta_product"),
    },
}
JACOBIANS = {
    "lstm": {
        "f for i": ("diag_times(g * i * (1 - i), W_i)", "diag_times(g * f * (1 - f), W_i)"),
        "C by way of h forgotten": ("diag_times(cell_to_hidden, cell_hidden) + diag_times", "diag_times"),
        "the output gate forgotten": (" + diag_times(tanh_cell * o * (1 - o), W_o)", ""),
        "the textbook form, f alone": ("jacobian[..., :H, H:] = cell_hidden", "jacobian[..., :H, H:] = 0"),
        "C_t for C_{t-1}": ("cells[:-1] * f", "cells[1:] * f"),
    },
    "gru": {
        "the direct path forgotten": ("diag_times(z, eye)\n        +", "+"),
        "n - h for h - n": ("hidden[:-1] - n", "n - hidden[:-1]"),
        "z for 1 - z": ("diag_times((1 - z) * (1", "diag_times(z * (1"),
        "the reset gate's own path forgotten": ("recurrent * r * (1 - r)", "0 * r"),
        "h_t for h_{t-1}": ("(hidden[:-1] - n)", "(hidden[1:] - n)"),
    },
}
VARIANTS = {
    False: {
        "the output gate's peephole at C_{t-1}": (
            "weight_ch[2] += (delta_a_o * cells[t])",
            "weight_ch[2] += (delta_a_o * cells[t - 1])",
        ),
        "nothing from the output gate into the cell": ("delta_cell = delta_cell + delta_a_o * p_o", "pass"),
        "nothing from the other gates into the cell": ("delta_cell + delta_a_i * p_i + delta_a_f * p_f", "delta_cell"),
        "the peepholes of i and f swapped": ("delta_a_i * p_i + delta_a_f * p_f", "delta_a_i * p_f + delta_a_f * p_i"),
        "the last member of the batch only": (
            "(delta_a_i * cells[t - 1]).sum(axis=0)",
            "(delta_a_i * cells[t - 1])[-1]",
        ),
    },
    True: {
        "the sign of f = 1 - i": ("delta_i = delta_i - delta_f", "delta_i = delta_i + delta_f"),
        "the erasing forgotten": ("delta_i = delta_i - delta_f", "pass"),
        "the forget gate as if it were one": (
            "delta_a_f = np.zeros_like(delta_f)",
            "delta_a_f = delta_f * f * (1 - f)",
        ),
        "nothing from the output gate into the cell": ("delta_cell = delta_cell + delta_a_o * p_o", "pass"),
        "i for f on the carousel": ("delta_cell = delta_cell * f", "delta_cell = delta_cell * i"),
    },
}


def of_cell(check, cell, backward):
    return lambda module: check(cell, module, backward)


def of_variant(check, coupled):
    return lambda module: check(module, coupled)


def cell_checks(cell, function):
    """Return the checks, by their names, that look at a function of a cell's module."""
    backward = "reference_backward" if function.startswith("reference") else "backward"
    checks = [test_cells.check_derivative, test_cells.check_adjoint]
    if cell.stored:
        checks.append(test_cells.check_pytorch)
    return {check.__name__: of_cell(check, cell, backward) for check in checks}


def cases():
    """Yield (name, module, function, text, instead, check)."""
    for cell, name, mistakes in (
        (LSTM, "lstm", LSTM_FAST),
        (AFTER, "gru-after", GRU_BOTH),
        (BEFORE, "gru-before", GRU_BOTH),
        (AFTER, "gru-after", GRU_AFTER),
        (BEFORE, "gru-before", GRU_BEFORE),
    ):
        for function, of_function in mistakes.items():
            for wrong, (text, instead) in of_function.items():
                if cell is BEFORE and "(1, 3, 2, 4)" in text:
                    text, instead = "else (1, 3, 2)", "else (1, 2, 3)"
                for check_name, check in cell_checks(cell, function).items():
                    yield f"{name}: {function}: {wrong}: {check_name}", cell.module, function, text, instead, check
    for cell, name in ((LSTM, "lstm"), (AFTER, "gru"), (BEFORE, "gru")):
        for wrong, (text, instead) in JACOBIANS[name].items():
            check = lambda module, cell=cell: test_cells.check_step_jacobian(cell, module)  # noqa: E731
            yield f"{name}: step_jacobian: {wrong}: {cell.options}", cell.module, "step_jacobian", text, instead, check
    for coupled, mistakes in VARIANTS.items():
        for wrong, (text, instead) in mistakes.items():
            for check in (test_lstm_variants.check_derivative, test_lstm_variants.check_adjoint):
                name = f"lstm_variants, coupled {coupled}: {wrong}: {check.__name__}"
                yield name, lstm_variants, "backward", text, instead, of_variant(check, coupled)


CASES = [pytest.param(*case, id=name) for name, *case in cases()]


@pytest.mark.parametrize("module, function, text, instead, check", CASES)
def test_every_check_notices_every_mistake(module, function, text, instead, check):
    wrong = rebuilt(module, function, text, instead)
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.parametrize("module", [lstm, gru, lstm_variants])
def test_without_a_mistake_every_check_passes(module):
    checks = {id(check): check for _, of_module, _, _, _, check in cases() if of_module is module}
    for check in checks.values():
        check(rebuilt(module))
