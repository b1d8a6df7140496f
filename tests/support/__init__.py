"""The parts that tests share: servers, workers, the oracle, generators of bad input."""
