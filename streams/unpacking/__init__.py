"""Unpacking: what a fetch brings compressed becomes plain batches, within limits of memory."""
