"""Write rnn.npz: an Elman network and its readout, their outputs and all their gradients, as PyTorch has them.

    python tests/reference/make_rnn.py

Made with PyTorch 2.13 on a CPU. The tests read the stored numbers and need no PyTorch.
"""

from pathlib import Path

import numpy as np

T, N, D, H, Q = 5, 3, 2, 4, 6


def main():
    import torch  # here, so that whoever collects this file as a module needs no PyTorch

    rng = np.random.default_rng(20)
    arguments = {
        "inputs": rng.normal(size=(T, N, D)),
        "hidden0": rng.normal(size=(N, H)),
        "weight_ih": rng.normal(size=(H, D)),
        "weight_hh": rng.normal(size=(H, H)),
        "bias_ih": rng.normal(size=H),
        "bias_hh": rng.normal(size=H),
        "weight_ho": rng.normal(size=(Q, H)),
        "bias_ho": rng.normal(size=Q),
    }
    cotangents = {
        "hidden": rng.normal(size=(T, N, H)),
        "final": rng.normal(size=(N, H)),
        "outputs": rng.normal(size=(T, N, Q)),
    }

    network, readout = torch.nn.RNN(D, H, dtype=torch.float64), torch.nn.Linear(H, Q, dtype=torch.float64)
    leaves = {
        "inputs": torch.from_numpy(arguments["inputs"]).requires_grad_(),
        "hidden0": torch.from_numpy(arguments["hidden0"]).requires_grad_(),
        "weight_ih": network.weight_ih_l0,
        "weight_hh": network.weight_hh_l0,
        "bias_ih": network.bias_ih_l0,
        "bias_hh": network.bias_hh_l0,
        "weight_ho": readout.weight,
        "bias_ho": readout.bias,
    }
    with torch.no_grad():
        for name, leaf in leaves.items():
            leaf.copy_(torch.from_numpy(arguments[name]))
    hidden, final = network(leaves["inputs"], leaves["hidden0"][None])
    results = {"hidden": hidden, "final": final[0], "outputs": readout(hidden)}
    sum((torch.from_numpy(cotangents[name]) * result).sum() for name, result in results.items()).backward()

    stored = {f"argument_{name}": array for name, array in arguments.items()}
    stored |= {f"cotangent_{name}": array for name, array in cotangents.items()}
    stored |= {f"result_{name}": result.detach().numpy() for name, result in results.items()}
    stored |= {f"gradient_{name}": leaf.grad.numpy() for name, leaf in leaves.items()}
    np.savez(Path(__file__).with_name("rnn.npz"), **stored)


if __name__ == "__main__":
    main()
