"""The bridge: it publishes the executions that the spans of OpenTelemetry tell of."""
