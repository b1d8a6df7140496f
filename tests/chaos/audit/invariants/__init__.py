"""The invariants, one in each module: they must hold after a run, whatever faults it had."""
