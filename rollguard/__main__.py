"""The command line, as the script ``rollguard`` and as ``python -m rollguard``."""

import gc

from rollguard.ctrl_c import end_at_once


def main() -> None:
    """Run the command line. Its imports may be interrupted by Ctrl-C, too."""
    end_at_once()
    # What is imported stays: to look through it for garbage takes a fifth of a worker's start.
    gc.set_threshold(50_000, 20, 20)
    from rollguard.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
