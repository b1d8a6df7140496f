"""Hooks of agent frameworks, for tools whose functions you cannot decorate."""
