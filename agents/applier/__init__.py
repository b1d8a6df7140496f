"""The applier: deployments and rollback commands become versions in Postgres, then messages."""
