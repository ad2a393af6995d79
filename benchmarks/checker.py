"""What a claim costs: `python benchmarks/checker.py FILE_OR_FOLDER ...`

Prints, over all claims, the median and the greatest time without a proof attempt and with one, and the verdicts. A
fresh process checks every document once, so that what claims of a model share is paid for where it is first needed.
"""
import statistics
import sys
from collections import Counter

from rnnbook.checker import check, library_of
from rnnbook.checker.command import documents


def measure(paths, library, proof_seconds):
    results = [result for path in paths for result in check(path, library=library, proof_seconds=proof_seconds)]
    times = sorted((1000 * result.seconds, result.label) for result in results if result.kind != "model")
    slowest = ", ".join(f"{label} {milliseconds:.0f}" for milliseconds, label in times[-3:][::-1])
    total = sum(milliseconds for milliseconds, _ in times) / 1000
    print(f"proof attempts of {proof_seconds:g} s" if proof_seconds else "without proof attempts")
    print(f"  {len(times)} claims in {total:.1f} s: median {statistics.median(m for m, _ in times):.1f} ms, slowest (ms): {slowest}")
    print(f"  {dict(Counter(result.verdict for result in results))}")


def main(names):
    paths = list(documents(names))
    library = library_of(paths)
    for proof_seconds in (0, 2.0):
        measure(paths, library, proof_seconds)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
