"""Write softmax.npz: softmax, its Jacobian, and cross-entropies with their gradients, as PyTorch has them.

    python tests/reference/make_softmax.py

Made with PyTorch 2.13 on a CPU. The tests read the stored numbers and need no PyTorch.
"""

from pathlib import Path

import numpy as np

N, Q = 5, 4
TEMPERATURE, LABEL_SMOOTHING = 0.7, 0.2


def main():
    import torch  # here, so that whoever collects this file as a module needs no PyTorch

    rng = np.random.default_rng(21)
    logits = 3 * rng.normal(size=(N, Q))
    classes = rng.integers(Q, size=N)
    weights = rng.uniform(size=(N, Q))  # they do not sum to one
    cotangents = rng.normal(size=N)

    o = torch.from_numpy(logits).requires_grad_()

    def probabilities(o):
        return torch.softmax(o / TEMPERATURE, dim=-1)

    stored = {
        "logits": logits,
        "classes": classes,
        "weights": weights,
        "cotangents": cotangents,
        "temperature": TEMPERATURE,
        "label_smoothing": LABEL_SMOOTHING,
        "logsumexp": torch.logsumexp(o, dim=-1),
        "softmax": probabilities(o),
        "log_softmax": torch.log_softmax(o / TEMPERATURE, dim=-1),
        "jacobian": torch.stack([torch.autograd.functional.jacobian(probabilities, row) for row in o.detach()]),
    }
    for name, targets in (("classes", classes), ("weights", weights)):
        for smoothing in (0.0, LABEL_SMOOTHING):
            losses = torch.nn.functional.cross_entropy(
                o / TEMPERATURE, torch.from_numpy(targets), reduction="none", label_smoothing=smoothing
            )
            key = f"{name}_{'smooth' if smoothing else 'plain'}"
            stored[f"losses_{key}"] = losses
            stored[f"gradient_{key}"] = torch.autograd.grad(losses, o, torch.from_numpy(cotangents))[0]
    for key, value in stored.items():
        stored[key] = value.detach().numpy() if isinstance(value, torch.Tensor) else value
    np.savez(Path(__file__).with_name("softmax.npz"), **stored)


if __name__ == "__main__":
    main()
