"""Write digits.npz, from the copy of the data set that scikit-learn carries.

    pip install scikit-learn==1.9.1
    python rnnbook/data/make_digits.py

It holds ``images``, shape (1797, 8, 8), integers from 0 to 16, and ``labels``, shape (1797,).
"""

from pathlib import Path

import numpy as np


def main():
    from sklearn.datasets import load_digits  # here, so that whoever imports this file needs no scikit-learn

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    if not np.array_equal(images, digits.images):
        raise SystemExit("make_digits.py: expected pixels that are whole numbers from 0 to 255")
    np.savez_compressed(Path(__file__).with_name("digits.npz"), images=images, labels=labels)


if __name__ == "__main__":
    main()
