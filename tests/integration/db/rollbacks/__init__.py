"""Rollback commands, holds and trust."""
