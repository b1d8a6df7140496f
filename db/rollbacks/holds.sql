-- An expired command was rejected at `expires_at`, whenever that is stored: so its outcome is always
-- the same.
-- name: tools_due
select distinct tool_name
from rollbacks
where status = 'held' and expires_at <= clock_timestamp()

-- name: due
select
    command_id,
    tool_name,
    'rejected' as status,
    'expired' as rejection,
    from_version_id,
    reason,
    tier,
    target,
    is_breaking_change,
    breaking_changes,
    explanation,
    hold_reason,
    expires_at as applied_at
from rollbacks
where tool_name = $1 and status = 'held' and expires_at <= clock_timestamp()
order by expires_at

-- name: expire
update rollbacks
set status = 'rejected', rejection = 'expired', applied_at = expires_at
from unnest($1::text[], $2::uuid[], $3::boolean[]) as command (tool_name, command_id, is_automatic)
where rollbacks.tool_name = command.tool_name
    and rollbacks.command_id = command.command_id
    and rollbacks.is_automatic = command.is_automatic
    and status = 'held'
    and expires_at <= clock_timestamp()
returning rollbacks.*

-- As people see them: those that can still be approved.
-- name: waiting
select
    count(*)::int as number,
    coalesce(extract(epoch from clock_timestamp() - min(held.applied_at)), 0)::float8 as oldest_s
from rollbacks held
join tool_versions current
    on current.tool_name = held.tool_name
    and current.is_current
    and current.version_id = held.from_version_id
where held.status = 'held' and held.expires_at > clock_timestamp()

-- name: conclude
update rollbacks
set status = $4,
    rejection = $5,
    applied_at = clock_timestamp(),
    approved_by = $6,
    dismissed_by = $7,
    dismissal = $8
where tool_name = $1 and command_id = $2 and is_automatic = $3
returning *
