-- Commands that are not decided yet and are about the version that is current.
-- name: undecided
select
    current.tool_name,
    current.version_id,
    current.code_hash,
    current.total_executions,
    current.successful_executions
from unnest($1::uuid[], $2::text[], $3::int[], $4::int[])
    as command (command_id, tool_name, from_version_id, from_activation)
join tool_versions current on current.tool_name = command.tool_name and current.is_current
where coalesce(command.from_version_id, current.version_id) = current.version_id
    and coalesce(command.from_activation, current.activation) = current.activation
    and not exists (
        select
        from rollbacks
        where rollbacks.command_id = command.command_id and rollbacks.status <> 'held'
    )

-- No more than there are in a budget: with so many, it is spent.
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
