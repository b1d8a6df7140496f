-- An id counts within its tool: who uses the id of another tool's request changes nothing for it.
--
-- The largest table comes first, so that the others are locked only for a moment. Its index is built
-- under the lock, unless it is there already: docs/how-to/upgrade says how to build it before, while
-- everything runs. The id is the first column, so that a search by the id alone uses the key too.
lock table tool_executions in access exclusive mode;
create unique index if not exists tool_executions_of_tools
    on tool_executions (execution_id, tool_name);
alter table tool_executions
    drop constraint tool_executions_pkey,
    add constraint tool_executions_pkey primary key using index tool_executions_of_tools;

alter table deployments
    drop constraint deployments_pkey,
    add constraint deployments_pkey primary key (deployment_id, tool_name);

-- The id of an automatic command can be known before it is issued, because it is derived from what is
-- public. So a person's command with this id is another command.
alter table rollbacks
    drop constraint rollbacks_pkey,
    add column is_automatic boolean not null generated always as (tier <> 'manual') stored,
    add constraint rollbacks_pkey primary key (command_id, tool_name, is_automatic);

comment on column rollbacks.is_automatic is
    'whether a rule demanded it, not a person; ids of the two kinds are independent';

-- The applier asks for the errors of executions of one tool: who may read the ids of executions, column
-- by column, may now read their tools too.
do $$
declare
    reader text;
begin
    for reader in
        select case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end
        from pg_attribute, aclexplode(attacl)
        where attrelid = 'tool_executions'::regclass
            and attname = 'execution_id'
            and privilege_type = 'SELECT'
    loop
        execute format('grant select (tool_name) on tool_executions to %s', reader);
    end loop;
end
$$;
