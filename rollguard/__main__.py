"""``python -m rollguard``."""

from rollguard.cli.app import main

main()
