"""Write state_dict.pt, a file as PyTorch saves it, and state_dict.npz, the same numbers.

    python tests/reference/make_state_dict.py

Made with PyTorch 2.13 on a CPU. The tests read the files and need no PyTorch.
"""

from pathlib import Path

import numpy as np


def main():
    import torch  # here, so that whoever collects this file as a module needs no PyTorch

    torch.manual_seed(24)
    model = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(3, 2, 2, bidirectional=True), "norm": torch.nn.BatchNorm1d(2)})
    state = model.state_dict()
    base = torch.randn(3, 4, dtype=torch.float64)
    state |= {"transposed": base.T, "part": base[1:, 2]}
    state |= {"parameter": torch.nn.Parameter(torch.randn(2)), "scalar": torch.tensor(2.5)}
    here = Path(__file__).parent
    torch.save(state, here / "state_dict.pt")
    np.savez(here / "state_dict.npz", **{name: tensor.detach().numpy() for name, tensor in state.items()})


if __name__ == "__main__":
    main()
