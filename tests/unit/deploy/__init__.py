"""The manifests of Kubernetes are valid, and say what the program understands."""
