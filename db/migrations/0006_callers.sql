-- By which policy `guarded` knows repeats of one call; null where an execution names none.
alter table tool_executions
    add column caller text,
    add column input_hash text;
