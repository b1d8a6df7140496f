"""The command line as ``python -m rollguard``."""

from rollguard.cli.app import main

main()
