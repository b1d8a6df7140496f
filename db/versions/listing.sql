-- The page comes first, so that the rest is looked up for its tools alone.
-- name: tools
with page as materialized (
    select
        tool_name,
        version_id,
        version_number,
        activation,
        activated_at,
        success_rate,
        total_executions,
        code_hash
    from tool_versions
    where is_current
        and ($1::text is null or tool_name > $1::text)
        and ($2::text[] is null or tool_name = any($2::text[]))
        and ($3::text is null or strpos(lower(tool_name), lower($3::text)) > 0)
    order by tool_name
    limit $4
)
select
    current.tool_name,
    current.version_id,
    current.version_number,
    current.activation,
    current.activated_at,
    current.success_rate,
    current.total_executions,
    coalesce(stopped.pinned, false) as pinned,
    coalesce(stopped.frozen, false) as frozen,
    coalesce(stopped.waits_for_resume, false) as waits_for_resume,
    coalesce(stopped.rejected, false) as rejected,
    held.tool_name is not null as held,
    exists (
        select
        from held_deployments waiting
        where waiting.status = 'held'
            and waiting.tool_name = current.tool_name
            and waiting.expires_at > clock_timestamp()
    ) as deployment_held,
    newest.*
from page current
left join lateral (
    select
        bool_or(kind = 'pin') as pinned,
        bool_or(kind = 'freeze') as frozen,
        bool_or(kind = 'wait') as waits_for_resume,
        bool_or(code_hash = current.code_hash) as rejected
    from stops_in_force
    where tool_name = any(array[current.tool_name, ''])
) stopped on true
left join lateral (
    select rollbacks.tool_name
    from rollbacks
    where rollbacks.status = 'held'
        and rollbacks.tool_name = current.tool_name
        and rollbacks.from_version_id = current.version_id
        and rollbacks.from_activation = current.activation
        and rollbacks.expires_at > clock_timestamp()
    limit 1
) held on true
left join lateral (
    select
        rollbacks.command_id,
        rollbacks.tier,
        rollbacks.reason,
        rollbacks.from_version_id,
        rollbacks.to_version_id,
        rollbacks.applied_at
    from rollbacks
    where rollbacks.tool_name = current.tool_name and rollbacks.status = 'applied'
    order by rollbacks.applied_at desc
    limit 1
) newest on true
order by current.tool_name

-- name: activations
select tool_name, activation
from tool_versions
where is_current
    and ($1::text is null or tool_name > $1::text)
    and ($2::text[] is null or tool_name = any($2::text[]))
    and ($3::text is null or strpos(lower(tool_name), lower($3::text)) > 0)
order by tool_name
limit $4

-- name: held
select rollbacks.tool_name
from rollbacks
join tool_versions current
    on current.tool_name = rollbacks.tool_name
    and current.is_current
    and current.version_id = rollbacks.from_version_id
    and current.activation = rollbacks.from_activation
where rollbacks.status = 'held' and rollbacks.expires_at > clock_timestamp()
union
select tool_name
from held_deployments
where status = 'held' and expires_at > clock_timestamp()
