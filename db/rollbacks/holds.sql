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
    expires_at as applied_at
from rollbacks
where tool_name = $1 and status = 'held' and expires_at <= clock_timestamp()
order by expires_at

-- name: expire
update rollbacks
set status = 'rejected', rejection = 'expired', applied_at = expires_at
where command_id = any($1::uuid[]) and status = 'held' and expires_at <= clock_timestamp()
returning *

-- name: conclude
update rollbacks
set status = $2,
    rejection = $3,
    applied_at = clock_timestamp(),
    approved_by = $4,
    dismissed_by = $5,
    dismissal = $6
where command_id = $1
returning *
