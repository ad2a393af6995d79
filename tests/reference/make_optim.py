"""Write optim.npz: parameters after each of several steps of PyTorch's optimisers, for given gradients.

    python tests/reference/make_optim.py

Made with PyTorch 2.13 on a CPU. The tests read the stored numbers and need no PyTorch.
"""

from pathlib import Path

import numpy as np

STEPS = 6
CASES = {
    "sgd": ("SGD", {"lr": 0.1}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam_other": ("Adam", {"lr": 0.3, "betas": (0.5, 0.75), "eps": 1e-2}),
    "adamw": ("AdamW", {"lr": 0.05, "weight_decay": 0.2}),
}


def main():
    import torch  # here, so that whoever collects this file as a module needs no PyTorch

    rng = np.random.default_rng(29)
    stored = {}
    for dtype in (np.float64, np.float32):
        start = [rng.normal(size=(3, 2)).astype(dtype), rng.normal(size=4).astype(dtype)]
        gradients = [rng.normal(size=(STEPS, *array.shape)).astype(dtype) for array in start]
        gradients[0][0] = 0  # a first gradient of zeros,
        gradients[1][:, 1] = 0  # a component that never has another,
        gradients[1][3, 2] = 1e6  # and one that is large once
        name = np.dtype(dtype).name
        stored |= {f"{name}_start_{part}": array for part, array in zip("ab", start)}
        stored |= {f"{name}_gradients_{part}": array for part, array in zip("ab", gradients)}
        for case, (kind, options) in CASES.items():
            parameters = [torch.nn.Parameter(torch.from_numpy(array.copy())) for array in start]
            optimizer = getattr(torch.optim, kind)(parameters, foreach=False, **options)
            steps = [[], []]
            for t in range(STEPS):
                for parameter, gradient in zip(parameters, gradients):
                    parameter.grad = torch.from_numpy(gradient[t].copy())
                optimizer.step()
                for of_part, parameter in zip(steps, parameters):
                    of_part.append(parameter.detach().numpy().copy())
            stored |= {f"{name}_{case}_{part}": np.array(of_part) for part, of_part in zip("ab", steps)}
    np.savez(Path(__file__).with_name("optim.npz"), **stored)


if __name__ == "__main__":
    main()
