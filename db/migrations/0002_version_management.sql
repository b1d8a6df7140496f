-- What the author of a version means to break: [{kind and/or object, reason}].
alter table tool_versions add column accepted_breaks jsonb not null default '[]';

-- The largest activation of a tool, without reading all of its versions. Not unique: versions that
-- were inserted with the seed's columns alone are all activation 1.
create index tool_versions_activation on tool_versions (tool_name, activation);

alter table tool_executions add column log_offset bigint;

comment on column tool_executions.log_offset is
    'its place in its partition of the log; orders executions of the same executed_at; null before 0002';

-- Read backwards: the newest executions of a version, those without a place behind the others.
create index tool_executions_version_log
    on tool_executions (version_id, executed_at, log_offset nulls first);
drop index tool_executions_version;

create index rollbacks_from_version on rollbacks (from_version_id, applied_at);

-- Commands with the numbers of the versions that they name, as far as they are this tool's.
create view rollback_records as
select
    rollbacks.command_id,
    rollbacks.tool_name,
    rollbacks.from_version_id,
    source.version_number as from_version_number,
    rollbacks.to_version_id,
    coalesce(rollbacks.to_version_number, target.version_number) as to_version_number,
    rollbacks.tier,
    rollbacks.reason,
    rollbacks.details,
    rollbacks.issued_by,
    rollbacks.issued_at,
    rollbacks.status,
    rollbacks.rejection,
    rollbacks.applied_at
from rollbacks
left join tool_versions source
    on source.version_id = rollbacks.from_version_id and source.tool_name = rollbacks.tool_name
left join tool_versions target
    on target.version_id = rollbacks.to_version_id and target.tool_name = rollbacks.tool_name;

-- Code that was rolled back automatically and that no person has brought back since.
create table distrusted_code (
    tool_name text not null,
    code_hash text not null,
    command_id uuid not null,
    since timestamptz not null,
    primary key (tool_name, code_hash)
);

comment on table distrusted_code is 'command_id and since: of the rollback that took the trust';

-- What is known from before. Who deployed code that was current already was not kept: such a
-- deployment gives no trust here; a person may give it by deploying once more.
with lost as (
    select rollbacks.tool_name, version.code_hash, rollbacks.command_id, rollbacks.applied_at
    from rollbacks
    join tool_versions version
        on version.version_id = rollbacks.from_version_id
        and version.tool_name = rollbacks.tool_name
    where rollbacks.status = 'applied' and rollbacks.tier <> 'manual'
),
given as (
    select rollbacks.tool_name, version.code_hash, rollbacks.applied_at
    from rollbacks
    join tool_versions version
        on version.version_id = rollbacks.to_version_id
        and version.tool_name = rollbacks.tool_name
    where rollbacks.status = 'applied' and rollbacks.tier = 'manual'
    union all
    select version.tool_name, version.code_hash, coalesce(deployments.applied_at, version.created_at)
    from tool_versions version
    left join deployments using (deployment_id)
    where version.created_by = 'human'
)
insert into distrusted_code (tool_name, code_hash, command_id, since)
select distinct on (lost.tool_name, lost.code_hash)
    lost.tool_name, lost.code_hash, lost.command_id, lost.applied_at
from lost
where not exists (
    select
    from given
    where given.tool_name = lost.tool_name
        and given.code_hash = lost.code_hash
        and given.applied_at > lost.applied_at
)
order by lost.tool_name, lost.code_hash, lost.applied_at;
