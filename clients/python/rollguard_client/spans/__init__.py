"""Which spans of OpenTelemetry are executions, and of what; the span processor publishes them."""
