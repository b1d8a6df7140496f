"""A small engine: real tools over the standard library's own sources, every run published."""
