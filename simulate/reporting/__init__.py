"""Tables and plots of a simulation, for docs/simulation.md."""
