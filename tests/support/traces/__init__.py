"""Spans as frameworks make them, and a receiver of traces."""
