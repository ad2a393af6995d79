"""Write losses.npz: three losses and their gradients as PyTorch has them.

    python tests/reference/make_losses.py

Made with PyTorch 2.13 on a CPU. The tests read the stored numbers and need no PyTorch.
"""

from pathlib import Path

import numpy as np


def main():
    import torch  # here, so that whoever collects this file as a module needs no PyTorch

    rng = np.random.default_rng(22)
    outputs, targets = 4 * rng.normal(size=(2, 3, 5))
    weights = rng.uniform(size=(3, 5))
    signs = np.where(rng.random((3, 5)) < 0.5, -1.0, 1.0)
    stored = {"outputs": outputs, "targets": targets, "weights": weights, "signs": signs}
    functional = torch.nn.functional
    cases = {
        "binary_cross_entropy": (functional.binary_cross_entropy_with_logits, weights),
        "soft_margin": (functional.soft_margin_loss, signs),
        "mse": (functional.mse_loss, targets),
    }
    for name, (function, target) in cases.items():
        y = torch.from_numpy(outputs).requires_grad_()
        values = function(y, torch.from_numpy(target), reduction="none")
        values.sum().backward()
        stored |= {name: values.detach().numpy(), f"{name}_gradient": y.grad.numpy()}
    np.savez(Path(__file__).with_name("losses.npz"), **stored)


if __name__ == "__main__":
    main()
