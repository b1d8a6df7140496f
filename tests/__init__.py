"""Unit, agent, integration and acceptance tests."""
