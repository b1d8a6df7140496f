"""The operators' window: an HTTP API over what operators ask and order, and a stream of events."""
