"""The examples' tools and the autonomous loop."""
