"""Stops: pins, freezes, rejections and waits, with their history."""
