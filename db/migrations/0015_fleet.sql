-- The fleet's brake: why a command is held that would be carried out otherwise.
alter table rollbacks
    add column hold_reason text check (hold_reason in ('fleet_budget'));

comment on column rollbacks.hold_reason is 'null: its mode or its target, or it was never held';

-- For the budget of all tools together: what a person approved does not count.
create index rollbacks_of_machines on rollbacks (issued_at)
    where status = 'applied' and tier <> 'manual' and approved_by is null;

-- Whoever counts rollbacks of all tools locks the row of this kind. No tool has an empty name.
alter table tool_locks drop constraint tool_locks_kind_check;
alter table tool_locks
    add constraint tool_locks_kind_check check (kind in ('change', 'publish', 'fleet'));
insert into tool_locks (tool_name, kind) values ('', 'fleet');

-- The applier asks who published executions, and whose failures they are: who may read the ids of
-- executions, column by column, may now read that too.
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
        execute format('grant select (session_id, caller, error_origin) on tool_executions to %s', reader);
    end loop;
end
$$;

-- Replaced, not made anew: who may read it keeps that.
create or replace view rollback_records as
select
    rollbacks.command_id,
    rollbacks.tool_name,
    rollbacks.from_version_id,
    source.version_number as from_version_number,
    rollbacks.to_version_id,
    coalesce(rollbacks.to_version_number, target.version_number) as to_version_number,
    rollbacks.tier,
    rollbacks.reason,
    shown_details(rollbacks.details) as details,
    rollbacks.issued_by,
    rollbacks.issued_at,
    rollbacks.status,
    rollbacks.rejection,
    rollbacks.applied_at,
    rollbacks.from_activation,
    rollbacks.expires_at,
    rollbacks.approved_by,
    rollbacks.dismissed_by,
    rollbacks.dismissal,
    rollbacks.target,
    rollbacks.is_breaking_change,
    rollbacks.breaking_changes,
    rollbacks.explanation,
    rollbacks.hold_reason
from rollbacks
left join tool_versions source
    on source.version_id = rollbacks.from_version_id and source.tool_name = rollbacks.tool_name
left join tool_versions target
    on target.version_id = rollbacks.to_version_id and target.tool_name = rollbacks.tool_name;
