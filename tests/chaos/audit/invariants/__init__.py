"""The invariants, one in each module: what must hold after a run, whatever faults it had."""
