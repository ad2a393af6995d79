"""Mistakes that people make in a backward pass, put into the source one at a time: the tests must notice each.

A test that cannot fail proves nothing. Every mistake here is a piece of a function's text and what stands there
instead; the module is built anew with it, and every single check that looks at the function has to reject it. All of
them run without an error and give numbers of the right shape: a wrong shape would need no test to be noticed.
"""

import inspect
import types

import pytest
import test_rnn
import test_softmax

import rnnbook.rnn
import rnnbook.softmax

# {function: {what is wrong: (the text, what stands there instead)}}
RNN = {
    "backward": {
        "the recurrent weights transposed": ("np.dot(local_t, weight_hh,", "np.dot(local_t, weight_hh.T,"),
        "h_t for h_{t-1} in the gradient of W": ("rows(states[:-1])", "rows(states[1:])"),
        "h_{t-1} for h_t in the derivative of tanh": ("np.square(hidden[block]", "np.square(states[:-1][block]"),
        "1 - h for 1 - h²": ("np.square(hidden[block]", "np.positive(hidden[block]"),
        "h² - 1 for 1 - h²": ("np.subtract(1, local[block]", "np.subtract(local[block], 1"),
        "no derivative of tanh": ("np.subtract(1, local[block], out=local[block])", "local[block] = 1"),
        "the carried cotangent dropped": ("delta += cotangents_t", "delta[...] = cotangents_t"),
        "the cotangents of the steps before the last dropped": ("delta += cotangents_t", "pass"),
        "the final state's cotangent dropped": (
            "_checked_cotangents(cotangents,",
            "_checked_cotangents((cotangents[0], None),",
        ),
        "forwards in time": ("zip(local[block][::-1], cotangents_hidden[block][::-1])", "zip(local[block], cotangents_hidden[block])"),
        "cotangents in the wrong order": ("cotangents_hidden[block][::-1]):", "cotangents_hidden[block]):"),
        "the recurrent weights applied twice": ("local_t *= delta", "local_t *= np.dot(delta, weight_hh)"),
        "the step from h_1 to h_0 forgotten": ("hidden0=delta", "hidden0=local[: states.shape[1]]"),
        "the inputs backwards": ("rows(inputs)", "rows(inputs[::-1])"),
        "time and batch mixed up": ("rows(inputs)", "rows(inputs.swapaxes(0, 1))"),
        "the bias summed over the batch only": ("local.sum(axis=0)", "local.reshape(states[1:].shape)[-1].sum(axis=0)"),
        "the bias summed over time only": ("local.sum(axis=0)", "local.reshape(states[1:].shape)[:, 0].sum(axis=0)"),
        "the mean over the batch": ("local.sum(axis=0)", "local.sum(axis=0) / states.shape[1]"),
        "half of the gradient for each bias": ("local.sum(axis=0)", "local.sum(axis=0) / 2"),
        "the gradient of the inputs before the derivative of tanh": (
            "(local @ weight_ih)",
            "(rows(cotangents_hidden) @ weight_ih)",
        ),
    },
    "reference_backward": {
        "the recurrent weights transposed": ("delta = local @ weight_hh", "delta = local @ weight_hh.T"),
        "h_t for h_{t-1} in the gradient of W": ("local.T @ states[t - 1]", "local.T @ states[t]"),
        "h_{t-1} for h_t in the derivative of tanh": ("states[t] ** 2", "states[t - 1] ** 2"),
        "no derivative of tanh": ("(1 - states[t] ** 2) * delta", "delta"),
        "the carried cotangent dropped": ("cotangents_hidden[t - 1] + delta", "cotangents_hidden[t - 1]"),
        "one step too few": ("range(len(inputs), 0, -1)", "range(len(inputs), 1, -1)"),
        "forwards in time": ("range(len(inputs), 0, -1)", "range(1, len(inputs) + 1)"),
        "the last step only": ("weight_hh[...] +=", "weight_hh[...] ="),
        "the gradient of W transposed": ("local.T @ states[t - 1]", "states[t - 1].T @ local"),
        "delta for local": ("local.T @ inputs", "delta.T @ inputs"),
        "the first member of the batch only": ("bias_hh[...] += local.sum(axis=0)", "bias_hh[...] += local[0]"),
        "the wrong cotangent for h_0": ("gradients.hidden0[...] = delta", "gradients.hidden0[...] = local"),
    },
    "backward_double_sum": {
        "only the terms with k = t": ("range(t, 0, -1)", "range(t, t - 1, -1)"),
        "without the terms with k = t": ("range(t, 0, -1)", "range(t - 1, 0, -1)"),
        "one Jacobian too many": (
            "product = np.broadcast_to(np.eye(H, dtype=states.dtype), (N, H, H))",
            "product = factors[t - 1]",
        ),
        "the Jacobians in the wrong order": ("product @ factors[k - 1]", "factors[k - 1] @ product"),
        "the wrong Jacobian": ("product @ factors[k - 1]", "product @ factors[k - 2]"),
        "the Jacobian transposed": (
            '"ni,nij->nj", row, product)  # ∂L_t/∂h_t',
            '"ni,nji->nj", row, product)  # ∂L_t/∂h_t',
        ),
        "the last step only": ("cotangents_hidden[t - 1] + (", "(t == T) * cotangents_hidden[t - 1] + ("),
        "the final state's cotangent at every step": ("cotangents_final if t == T else 0", "cotangents_final"),
        "h_k for h_{k-1} in the immediate derivative": ("term, states[k - 1]", "term, states[k]"),
        "no derivative of tanh in the immediate derivative": ("term * (1 - states[k] ** 2)", "term"),
        "h_0 reached from the last step only": ("gradients.hidden0[...] +=", "gradients.hidden0[...] ="),
    },
    "step_jacobian": {
        "the derivative of tanh on the wrong side": ("[..., :, None]", "[..., None, :]"),
        "the weights transposed": ("* weight_hh", "* weight_hh.T"),
        "no square": ("hidden**2", "hidden"),
    },
    "long_product": {
        "the latest factor last": ("factor @ product", "product @ factor"),
        "one factor too many": ("hidden[k:t]", "hidden[max(k - 1, 0) : t]"),
        "one factor too few": ("hidden[k:t]", "hidden[k + 1 : t]"),
        "h_{j-1} for h_j": ("hidden[k:t]", "hidden[k - 1 : t - 1]"),
    },
    "readout_backward": {
        "a derivative of tanh too many": (".reshape(hidden.shape)", ".reshape(hidden.shape) * (1 - hidden**2)"),
        "the hidden states backwards": ("flat.T @ rows(hidden)", "flat.T @ rows(hidden[::-1])"),
        "time and batch mixed up": ("flat = rows(cotangents)", "flat = rows(cotangents.swapaxes(0, 1))"),
        "the bias summed over one axis only": ("flat.sum(axis=0)", "cotangents.sum(axis=0)[0]"),
        "the mean": ("flat.sum(axis=0)", "flat.mean(axis=0)"),
    },
}
SOFTMAX = {
    "cross_entropy": {
        "label smoothing over the other classes": ("smoothing / classes", "smoothing / (classes - 1)"),
        "label smoothing without the factor 1 - ε": ("(1 - smoothing) * targets", "targets"),
        "the temperature forgotten in the gradient": ("targets, temperature)", "targets, 1.0)"),
    },
    "cross_entropy_backward": {
        "p - y whatever the targets sum to": ("np.sum(targets, axis=-1, keepdims=True) - targets", "1 - targets"),
        "y - p": ("gradient *= cotangents[..., None]", "gradient *= -cotangents[..., None]"),
        "p + y": ("targets * np.expm1(log_p)", "targets * -np.expm1(log_p)"),
        "no target subtracted": ("p * others + targets * np.expm1(log_p)", "p * (others + targets)"),
        "the target counted twice": ("p * others +", "p * others - targets +"),
        "the cotangents dropped": ("gradient *= cotangents[..., None]", "pass"),
        "the temperature forgotten": ("gradient /= temperature", "pass"),
        "times the temperature": ("gradient /= temperature", "gradient *= temperature"),
        "the sum of the wrong axis": (
            "np.sum(targets, axis=-1, keepdims=True)",
            "np.sum(targets, axis=0, keepdims=True)",
        ),
        "p for p - 1 at the target's class": ("np.expm1(np.take_along_axis", "np.exp(np.take_along_axis"),
    },
    "jacobian": {
        "the diagonal only": (
            "matrix = -p[..., :, None] * p[..., None, :]",
            "matrix = np.zeros(p.shape + p.shape[-1:])",
        ),
        "no diagonal": ('np.einsum("...ii->...i", matrix)[...] =', "_ ="),
        "the wrong sign off the diagonal": ("matrix = -p[..., :, None]", "matrix = p[..., :, None]"),
        "p for p (1 - p)": ("p * -np.expm1(log_p)", "p"),
        "the temperature forgotten": ("matrix /= temperature", "pass"),
    },
    "jvp": {
        "as if softmax acted on every entry alone": (" - np.sum(p * tangents, axis=-1, keepdims=True)", " * (1 - p)"),
        "the wrong sign": ("tangents - np.sum", "tangents + np.sum"),
        "the sum over the batch": ("np.sum(p * tangents, axis=-1", "np.sum(p * tangents, axis=0"),
        "the sum without p": ("np.sum(p * tangents", "np.sum(tangents"),
        "no factor p": ("return p * (", "return ("),
        "the temperature forgotten": (" / temperature", ""),
    },
    "vjp": {
        "the temperature forgotten": (", temperature=temperature)", ")"),
        "the wrong sign": ("return jvp", "return -jvp"),
    },
}


def by_name(function):
    """Bind the name of a backward function to a check that takes one."""
    return lambda check: lambda module: check(module, function)


def backward_checks(function):
    checks = test_rnn.check_derivative, test_rnn.check_adjoint, test_rnn.check_pytorch
    return {check.__name__: by_name(function)(check) for check in checks}


def plain(*checks):
    return {check.__name__: check for check in checks}


CHECKS = {
    "backward": backward_checks("backward"),
    "reference_backward": backward_checks("reference_backward"),
    "backward_double_sum": backward_checks("backward_double_sum"),
    "step_jacobian": plain(test_rnn.check_long_product) | backward_checks("backward_double_sum"),
    "long_product": plain(test_rnn.check_long_product),
    "readout_backward": plain(test_rnn.check_readout_derivative, test_rnn.check_readout_pytorch),
    "cross_entropy": plain(test_softmax.check_loss_gradient, test_softmax.check_loss_pytorch),
    "cross_entropy_backward": plain(test_softmax.check_loss_gradient, test_softmax.check_loss_pytorch),
    "jacobian": plain(test_softmax.check_jacobian, test_softmax.check_products_pytorch),
    "jvp": plain(test_softmax.check_products, test_softmax.check_products_pytorch),
    "vjp": plain(test_softmax.check_products, test_softmax.check_products_pytorch),
}


def rebuilt(module, function=None, text=None, instead=None):
    """Return the module, built again from its source, with a piece of one function's text replaced."""
    source = inspect.getsource(module)
    if function is not None:
        whole = inspect.getsource(getattr(module, function))
        docstring_end = whole.index('"""', whole.index('"""') + 3)
        head, body = whole[:docstring_end], whole[docstring_end:]
        assert body.count(text) == 1, f"{function}: the text {text!r} stands there {body.count(text)} times, not once"
        source = source.replace(whole, head + body.replace(text, instead))
    new = types.ModuleType(f"{module.__name__}_rebuilt")
    exec(compile(source, new.__name__, "exec"), new.__dict__)
    return new


def cases():
    for module, mistakes in ((rnnbook.rnn, RNN), (rnnbook.softmax, SOFTMAX)):
        for function, of_function in mistakes.items():
            for name, (text, instead) in of_function.items():
                for check_name, check in CHECKS[function].items():
                    yield pytest.param(module, function, text, instead, check, id=f"{function}: {name}: {check_name}")


@pytest.mark.parametrize("module, function, text, instead, check", list(cases()))
def test_every_check_notices_every_mistake(module, function, text, instead, check):
    wrong = rebuilt(module, function, text, instead)
    with pytest.raises(AssertionError):
        check(wrong)


@pytest.mark.parametrize("module, functions", [(rnnbook.rnn, RNN), (rnnbook.softmax, SOFTMAX)])
def test_without_a_mistake_every_check_passes(module, functions):
    for function in functions:
        for check in CHECKS[function].values():
            check(rebuilt(module))
