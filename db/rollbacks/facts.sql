-- Postgres' clock alone decides whether the time of a held command is over. An answer is to the
-- automatic command with its id, if there is one, whatever tier the answer names.
-- name: stored
select distinct on (rollbacks.tool_name)
    rollbacks.*,
    status = 'held' and expires_at <= clock_timestamp() as is_past_hold
from unnest($1::text[], $2::uuid[], $3::boolean[], $4::boolean[])
    as command (tool_name, command_id, is_automatic, is_answer)
join rollbacks
    on rollbacks.tool_name = command.tool_name
    and rollbacks.command_id = command.command_id
    and (rollbacks.is_automatic = command.is_automatic or command.is_answer)
order by rollbacks.tool_name, rollbacks.is_automatic desc

-- One row for each command. The columns of a version that does not exist are null.
-- name: tools
select
    command.tool_name,
    current.version_id as current_version_id,
    current.activation as current_activation,
    current.code_hash as current_code_hash,
    current.total_executions as current_executions,
    current.successful_executions as current_successes,
    current.breaking_changes as current_breaking_changes,
    source.version_id as source_version_id,
    target.version_id,
    target.version_number,
    target.code_hash,
    exists (
        select
        from stops_in_force
        where kind = 'pin' and tool_name = any(array[command.tool_name, ''])
    ) as is_pinned,
    exists (
        select
        from stops_in_force
        where kind = 'rejection'
            and tool_name = command.tool_name
            and code_hash = target.code_hash
    ) as is_target_rejected
from unnest($1::text[], $2::int[], $3::int[])
    as command (tool_name, from_version_id, to_version_id)
left join tool_versions current on current.tool_name = command.tool_name and current.is_current
left join tool_versions source
    on source.tool_name = command.tool_name and source.version_id = command.from_version_id
left join tool_versions target
    on target.tool_name = command.tool_name and target.version_id = command.to_version_id

-- At most as many rows as the budget has: with that many, the budget is spent.
-- name: automatic
select command.tool_name, near.issued_at
from unnest($1::text[], $2::timestamptz[], $3::interval[], $4::int[])
    as command (tool_name, issued_at, span, budget)
cross join lateral (
    select rollbacks.issued_at
    from rollbacks
    where rollbacks.tool_name = command.tool_name
        and rollbacks.status = 'applied'
        and rollbacks.tier <> 'manual'
        and rollbacks.issued_at > command.issued_at - command.span
        and rollbacks.issued_at < command.issued_at + command.span
    limit command.budget
) as near

-- name: codes
select version_id, code
from tool_versions
where (tool_name, version_id) in (select * from unnest($1::text[], $2::int[]))
