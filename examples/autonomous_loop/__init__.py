"""An engine that improves its own tools: generated candidates, deployed, watched, kept or put back.

The three integration points of version management: an improvement neuron deploys, a loop wires
version manager, monitor and engine, and the monitor polls beside the stream.
"""
