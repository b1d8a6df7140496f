-- Errors and identities may be erased on request; the execution and its result stay.
alter table tool_executions add column erased_at timestamptz;

comment on column tool_executions.erased_at is
    'when its error and its identities were erased; only the class of the error stays';
