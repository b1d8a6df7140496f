"""Stops: pins, freezes, rejections and waits."""
