r"""Optimisers: how a gradient becomes a step.

An optimiser holds numbers that stay what they are, its hyperparameters, and nothing else. What it remembers from step to
step is its *state*, which goes in and comes out like everything else:

>>> import numpy as np
>>> from rnnbook import optim
>>> parameters = (np.array([4.0, -2.0]),)
>>> optimizer = optim.Adam(learning_rate=0.5)
>>> state = optimizer.initialize(parameters)
>>> for _ in range(3):
...     gradients = parameters  # of half the square of the norm
...     parameters, state = optimizer.update(gradients, state, parameters)
>>> parameters[0].round(2), state.step
(array([ 2.51, -0.54]), 3)

Parameters and gradients are arrays in tuples, named tuples and lists, nested in any way, as the passes of this package
take and return them. All functions return new arrays and change none.

A gradient that is ``nan`` or infinite is passed on, into the state and the parameters, as PyTorch does: an optimiser
computes what its formula says. :func:`rnnbook.train.fit` stops before such a step, and so can
:func:`~rnnbook.clipping.clip_by_global_norm` with ``error_if_nonfinite=True``; the functions of :mod:`rnnbook.clipping`
can be had from this module as well.
"""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from rnnbook._trees import check_alike, leaves, mapped
from rnnbook.clipping import clip_by_global_norm, clip_by_value, global_norm

__all__ = ["SGD", "Adam", "AdamState", "SGDState", "clip_by_global_norm", "clip_by_value", "global_norm"]


class SGDState(NamedTuple):
    """What :class:`SGD` remembers."""

    velocity: Any
    """v, in the form of the parameters; None without momentum"""


class AdamState(NamedTuple):
    """What :class:`Adam` remembers."""

    step: int
    """how many updates there were"""
    first_moment: Any
    """m, in the form of the parameters"""
    second_moment: Any
    """s, in the form of the parameters"""


@dataclass(frozen=True)
class SGD:
    r"""Stochastic gradient descent, with momentum.

    With the gradient :math:`g_t` of step :math:`t`, the parameters :math:`\theta`, and the velocity :math:`v`, which
    starts with :math:`v_0 = 0`,

    .. math::
       :unchecked: definition

       v_t = \mu\, v_{t-1} + g_t, \qquad \theta_t = \theta_{t-1} - \eta\, v_t,

    and in the way of Nesterov :math:`\theta_t = \theta_{t-1} - \eta\,(g_t + \mu\, v_t)`, as PyTorch has both. The velocity
    is the sum of all gradients so far, each the weaker the older it is:

    .. claim::
       :label: eq-api-optim-velocity
       :model: training-momentum

       v_t = \sum_{k=1}^{t} \mu^{t-k} g_k

    so that a gradient that stays the same makes steps that grow up to :math:`1/(1 - \mu)` times :math:`\eta g`.

    Parameters
    ----------
    learning_rate : float
        :math:`\eta \ge 0`.
    momentum : float, optional
        :math:`\mu`, from 0 to less than 1.
    nesterov : bool, optional
        Needs a momentum.

    Raises
    ------
    TypeError, ValueError
        If a number is none, or is out of range.

    Notes
    -----
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", *USSR Computational Mathematics and
    Mathematical Physics* 4 (1964), 1-17. I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of
    initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    Down a valley that is 100 times steeper across than along, each with the best numbers for it:

    >>> def minimise(optimizer, steps=100):
    ...     point = np.array([1.0, 1.0])
    ...     state = optimizer.initialize(point)
    ...     for _ in range(steps):
    ...         gradient = np.array([1.0, 100.0]) * point
    ...         point, state = optimizer.update(gradient, state, point)
    ...     return f"{np.linalg.norm(point):.0e}"
    >>> minimise(SGD(2 / 101))
    '2e-01'
    >>> minimise(SGD((2 / 11) ** 2, momentum=(9 / 11) ** 2))
    '4e-07'
    """

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self):
        _check_ranges(self, learning_rate=math.inf, momentum=1)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: expected a momentum greater than 0 with it, got 0")

    def initialize(self, parameters):
        """Return the state before the first step.

        Returns
        -------
        SGDState
        """
        _checked(parameters)
        return SGDState(mapped(np.zeros_like, parameters) if self.momentum else None)

    def update(self, gradients, state, parameters):
        """Take a step.

        Parameters
        ----------
        gradients : array_like or tuple
            In the form of `parameters`, with its shapes and dtypes.
        state : SGDState
            From :meth:`initialize`, or the step before.
        parameters : array_like or tuple

        Returns
        -------
        parameters, state

        Raises
        ------
        TypeError, ValueError
            If the three do not fit together; the message names the entry.
        """
        _check(self, SGDState, gradients, state, parameters, velocity=self.momentum)
        eta, mu = self.learning_rate, self.momentum
        velocity, direction = None, gradients
        if mu:
            velocity = direction = mapped(lambda v, g: mu * v + g, state.velocity, gradients)
            if self.nesterov:
                direction = mapped(lambda g, v: g + mu * v, gradients, velocity)
        return mapped(lambda theta, d: theta - eta * np.asarray(d), parameters, direction), SGDState(velocity)


@dataclass(frozen=True)
class Adam:
    r"""Adam: each parameter's step is its mean gradient over the root of its mean squared gradient.

    .. math::
       :unchecked: definition

       \begin{aligned}
       m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad
       s_t = \beta_2 s_{t-1} + (1 - \beta_2)\, g_t^2, \\
       \theta_t &= \theta_{t-1}
         - \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{s_t / (1 - \beta_2^t)} + \varepsilon},
       \end{aligned}

    with :math:`m_0 = s_0 = 0`. The two means start at zero, and are too small at first: the weights in them do not sum
    to one. Hence the division, which is called the bias correction:

    .. claim::
       :label: eq-api-optim-first-moment
       :model: training-adam

       m_t = \sum_{k=1}^{t} (1 - \beta_1)\, \beta_1^{t-k} g_k

    .. claim::
       :label: eq-api-optim-bias
       :model: training-adam
       :for: t = 1..T

       \sum_{k=1}^{t} (1 - \beta_1)\, \beta_1^{t-k} = 1 - \beta_1^t

    .. claim::
       :label: eq-api-optim-second-moment
       :model: training-adam

       s_t = \sum_{k=1}^{t} (1 - \beta_2)\, \beta_2^{t-k} g_k^2

    Parameters
    ----------
    learning_rate : float, optional
        :math:`\eta \ge 0`; about as far as a parameter moves in a step. After much smaller
        gradients it may be 7 times as far.
    beta1, beta2 : float, optional
        :math:`\beta_1` and :math:`\beta_2`, from 0 to less than 1.
    epsilon : float, optional
        :math:`\varepsilon \ge 0`.
    weight_decay : float, optional
        :math:`\lambda \ge 0`. The parameters shrink by the factor :math:`1 - \eta \lambda` before each step; this is the
        decoupled decay of AdamW, not a penalty in the loss, whose gradient Adam would rescale.

    Raises
    ------
    TypeError, ValueError
        If a number is none, or is out of range.

    Notes
    -----
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015. I. Loshchilov and F. Hutter, "Decoupled
    weight decay regularization", ICLR 2019.

    Examples
    --------
    The first step goes by the learning rate in each direction, however long the gradient is:

    >>> optimizer, parameters = Adam(learning_rate=0.1), np.zeros(3)
    >>> state = optimizer.initialize(parameters)
    >>> after, _ = optimizer.update(np.array([1e-3, 1.0, -1e3]), state, parameters)
    >>> after.round(4)
    array([-0.1, -0.1,  0.1])
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self):
        _check_ranges(self, learning_rate=math.inf, beta1=1, beta2=1, epsilon=math.inf, weight_decay=math.inf)

    def initialize(self, parameters):
        """Return the state before the first step.

        Returns
        -------
        AdamState
        """
        _checked(parameters)
        return AdamState(0, mapped(np.zeros_like, parameters), mapped(np.zeros_like, parameters))

    def update(self, gradients, state, parameters):
        """Take a step.

        Parameters
        ----------
        gradients : array_like or tuple
            In the form of `parameters`, with its shapes and dtypes.
        state : AdamState
            From :meth:`initialize`, or the step before.
        parameters : array_like or tuple

        Returns
        -------
        parameters, state

        Raises
        ------
        TypeError, ValueError
            If the three do not fit together; the message names the entry.
        """
        _check(self, AdamState, gradients, state, parameters, first_moment=True, second_moment=True)
        beta1, beta2, epsilon = self.beta1, self.beta2, self.epsilon
        step = state.step + 1
        shrink = 1 - self.learning_rate * self.weight_decay
        rate = self.learning_rate / (1 - beta1**step)
        root = math.sqrt(1 - beta2**step)

        first = mapped(lambda m, g: beta1 * m + (1 - beta1) * np.asarray(g), state.first_moment, gradients)
        second = mapped(lambda s, g: beta2 * s + (1 - beta2) * np.square(g), state.second_moment, gradients)
        parameters = mapped(
            lambda theta, m, s: shrink * theta - rate * (m / (np.sqrt(s) / root + epsilon)), parameters, first, second
        )
        return parameters, AdamState(step, first, second)


def _checked(parameters):
    if not leaves("parameters", parameters):
        raise ValueError("parameters: expected at least one array, got none")


def _check(optimizer, kind, gradients, state, parameters, **has):
    """Raise an error unless gradients and state fit the parameters."""
    _checked(parameters)
    check_alike("gradients", gradients, "parameters", parameters)
    if not isinstance(state, kind):
        name = type(optimizer).__name__
        raise TypeError(f"state: expected {kind.__name__}, from {name}.initialize, got {type(state).__name__}")
    for name, there in has.items():
        if there:
            check_alike(f"state.{name}", getattr(state, name), "parameters", parameters)


def _check_ranges(optimizer, **bounds):
    """Raise an error unless each number is at least 0 and less than its bound; and make Python's floats of them."""
    for name, bound in bounds.items():
        value = getattr(optimizer, name)
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"{name}: expected a number, got {value!r}")
        if not 0 <= value < bound:
            described = f"at least 0 and less than {bound}" if bound < math.inf else "at least 0 and finite"
            raise ValueError(f"{name}: expected a number that is {described}, got {value!r}")
        # NumPy's would make float64 of float32 parameters, and a checkpoint cannot hold all of them.
        object.__setattr__(optimizer, name, float(value))
