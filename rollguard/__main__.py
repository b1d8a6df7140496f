"""The command line, as the script ``rollguard`` and as ``python -m rollguard``."""

from rollguard.ctrl_c import end_at_once


def main() -> None:
    """Run the command line. Its imports may be interrupted by Ctrl-C, too."""
    end_at_once()
    from rollguard.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
