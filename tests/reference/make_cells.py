"""Write cells.npz: RNN, LSTM and GRU, their outputs and all their gradients, as PyTorch has them.

    python tests/reference/make_cells.py

For each cell: one layer; three layers; two layers of both directions over sequences of unequal lengths, packed. Made
with PyTorch 2.13 on a CPU. The tests read the stored numbers and need no PyTorch.
"""

from pathlib import Path

import numpy as np

T, N, D, H = 5, 3, 2, 4
LENGTHS = [3, 5, 2]
STATES = {"RNN": ("hidden",), "LSTM": ("hidden", "cell"), "GRU": ("hidden",)}
CASES = {"single": (1, False, None), "stacked": (3, False, None), "packed": (2, True, LENGTHS)}


def run(kind, layers, bidirectional, lengths, rng):
    """Return everything that goes into the network and comes out of it, by names."""
    import torch  # here, so that whoever collects this file as a module needs no PyTorch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    network = getattr(torch.nn, kind)(D, H, layers, bidirectional=bidirectional, dtype=torch.float64)
    directions = 1 + bidirectional
    leaves = {"inputs": torch.from_numpy(rng.normal(size=(T, N, D))).requires_grad_()}
    for state in STATES[kind]:
        leaves[f"{state}0"] = torch.from_numpy(rng.normal(size=(layers * directions, N, H))).requires_grad_()
    for name, parameter in network.named_parameters():
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(rng.normal(size=parameter.shape)))
        leaves[name] = parameter

    initial = tuple(leaves[f"{state}0"] for state in STATES[kind])
    inputs = leaves["inputs"]
    if lengths:
        inputs = pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    hidden, final = network(inputs, initial if len(initial) > 1 else initial[0])
    if lengths:
        hidden, _ = pad_packed_sequence(hidden, total_length=T)
    results = {"outputs": hidden}
    results |= {f"final_{name}": state for name, state in zip(STATES[kind], final if len(initial) > 1 else [final])}
    cotangents = {name: torch.from_numpy(rng.normal(size=tuple(result.shape))) for name, result in results.items()}
    sum((cotangents[name] * result).sum() for name, result in results.items()).backward()

    stored = {f"argument_{name}": leaf for name, leaf in leaves.items()}
    stored |= {f"result_{name}": result for name, result in results.items()}
    stored |= {f"cotangent_{name}": cotangent for name, cotangent in cotangents.items()}
    stored |= {f"gradient_{name}": leaf.grad for name, leaf in leaves.items()}
    return {name: tensor.detach().numpy() for name, tensor in stored.items()}


def main():
    rng = np.random.default_rng(22)
    stored = {"lengths": np.array(LENGTHS)}
    for kind in STATES:
        for case, (layers, bidirectional, lengths) in CASES.items():
            for name, array in run(kind, layers, bidirectional, lengths, rng).items():
                stored[f"{kind}_{case}_{name}"] = array
    np.savez_compressed(Path(__file__).with_name("cells.npz"), **stored)


if __name__ == "__main__":
    main()
