"""Rollback commands, pins, holds and trust."""
