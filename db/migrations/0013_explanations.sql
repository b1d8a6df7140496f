-- What an automatic command rests on, as the outcome carries it; null for a person's command, and for
-- commands that were decided before.
alter table rollbacks add column explanation jsonb;
