"""The attacker of a run that requires signatures, and the keys that it does not have."""
