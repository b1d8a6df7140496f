"""The pages of one tool: what it does now and did before, its versions, and what can be ordered."""
