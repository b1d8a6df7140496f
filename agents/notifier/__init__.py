"""The notifier: it tells people and programs of rollbacks, refused deployments and outages."""
