"""The public messages for other languages: an AsyncAPI document, and JSON Schemas."""
