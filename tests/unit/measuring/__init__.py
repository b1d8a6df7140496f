"""The benchmarks, the simulation and the chaos model."""
