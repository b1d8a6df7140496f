"""An operator's work: read, deploy, roll back, pin, approve, replay, prune, republish."""
