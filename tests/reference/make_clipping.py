"""Write clipping.npz: gradients before and after PyTorch's clipping, by norm and by value.

    python tests/reference/make_clipping.py

Made with PyTorch 2.13 on a CPU. The tests read the stored numbers and need no PyTorch.
"""

import math
from pathlib import Path

import numpy as np

BOUND = 1.5


def main():
    import torch  # here, so that whoever collects this file as a module needs no PyTorch

    rng = np.random.default_rng(23)
    a, b = rng.normal(size=(3, 2)), rng.normal(size=4)
    infinite, nan = b.copy(), b.copy()
    infinite[1], nan[2] = -np.inf, np.nan
    cases = {
        "large": (10 * a, 10 * b, 2.0),
        "small": (0.1 * a, 0.1 * b, 2.0),
        "zero": (0 * a, 0 * b, 2.0),
        "infinite": (a, infinite, 2.0),
        "nan": (a, nan, 2.0),
        "exact": (np.array([BOUND]), np.zeros(2), 2.0),
        "order_1": (a, b, 1.0),
        "order_inf": (a, b, math.inf),
        "float32": (10 * a.astype(np.float32), 10 * b.astype(np.float32), 2.0),
    }
    stored = {}
    for case, (a, b, order) in cases.items():
        for kind in ("clipped", "by_value"):
            parameters = [torch.nn.Parameter(torch.from_numpy(np.zeros_like(array))) for array in (a, b)]
            for parameter, gradient in zip(parameters, (a, b)):
                parameter.grad = torch.from_numpy(gradient.copy())
            if kind == "clipped":
                norm = torch.nn.utils.clip_grad_norm_(parameters, BOUND, norm_type=order, foreach=False)
            else:
                torch.nn.utils.clip_grad_value_(parameters, BOUND, foreach=False)
            stored |= {f"{case}_{kind}_{name}": p.grad.numpy() for name, p in zip("ab", parameters)}
        stored |= {f"{case}_a": a, f"{case}_b": b, f"{case}_norm": norm.numpy()}
    np.savez(Path(__file__).with_name("clipping.npz"), **stored)


if __name__ == "__main__":
    main()
