"""What the spans of OpenTelemetry say of executions."""
