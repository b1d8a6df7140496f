"""An engine that improves its own tools: it deploys new code, which is kept or rolled back.

Version management has three integration points, one module each: `improvement` (the improvement
neuron, which is the part that writes new code) deploys candidates, `loop` connects version manager,
deployment monitor and engine, and its monitor polls in addition to the stream.
"""
