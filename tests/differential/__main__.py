"""Compare generated pairs with what the running Python does: ``python -m tests.differential``."""

import argparse
import sys

from tests.differential.run import judge_pairs
from tests.differential.subjects import SUBJECTS


def main() -> int:
    """Print the counts of each subject; return 1 for a miss or for too many false alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5000, help="how many of each subject")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, help="how many misses and alarms to print")
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(SUBJECTS)}; default: all")
    arguments = parser.parse_args()
    is_good = True
    print("subject      pairs  broken  misses  false alarms")
    for name in arguments.subjects or SUBJECTS:
        counts = judge_pairs(SUBJECTS[name], arguments.pairs, arguments.seed)
        misses, alarms = len(counts.misses), len(counts.false_alarms)
        share = alarms / counts.pairs
        print(f"{name:12} {counts.pairs:5} {counts.broken:7} {misses:7} {alarms:6} ({share:.2%})")
        for text in (*counts.misses[: arguments.show], *counts.false_alarms[: arguments.show]):
            print(f"{text}\n", file=sys.stderr)
        is_good = is_good and not misses and share < 0.01
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
