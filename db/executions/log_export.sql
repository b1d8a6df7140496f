-- A version becomes current by its deployment, and again by each rollback to it that is applied. The
-- changes of a tool are committed one after the other.
-- name: activations
select
    version.tool_name,
    version.version_id,
    version.version_number,
    version.previous_version_id,
    version.code_hash,
    (deployments.outcome ->> 'activation')::int as activation,
    version.created_at as activated_at,
    'deployment' as kind,
    version.deployment_id as id,
    coalesce(deployments.applied_at, version.created_at) as applied_at
from tool_versions version
left join deployments using (tool_name, deployment_id)
where $1::text[] is null or version.tool_name = any($1)
union all
select
    version.tool_name,
    version.version_id,
    version.version_number,
    version.previous_version_id,
    version.code_hash,
    null,
    case when rollbacks.approved_by is null then rollbacks.issued_at else rollbacks.applied_at end,
    'rollback',
    rollbacks.command_id,
    rollbacks.applied_at
from rollbacks
join tool_versions version
    on version.version_id = rollbacks.to_version_id and version.tool_name = rollbacks.tool_name
where rollbacks.status = 'applied' and ($1::text[] is null or rollbacks.tool_name = any($1))
order by tool_name, applied_at

-- Executions without an offset were recorded before offsets were kept.
-- name: executions
select
    execution_id,
    tool_name,
    success,
    version_id,
    error_type,
    session_id,
    caller,
    input_hash,
    executed_at,
    case when error_type like '%Group' then error end as error
from tool_executions
where ($1::text[] is null or tool_name = any($1))
    and executed_at >= coalesce($2::timestamptz, '-infinity')
    and executed_at <= coalesce($3::timestamptz, 'infinity')
order by log_offset nulls first, executed_at
