-- name: retire
update tool_versions set is_current = false where version_id = any($1::int[])

-- name: activate
update tool_versions version
set is_current = true,
    activation = 1 + (
        select max(other.activation)
        from tool_versions other
        where other.tool_name = version.tool_name
    ),
    activated_at = activated.at,
    activated_by_kind = 'rollback',
    activated_by_id = activated.by_id
from unnest($1::int[], $2::timestamptz[], $3::uuid[]) as activated (version_id, at, by_id)
where version.version_id = activated.version_id

-- name: store
insert into rollbacks (
    command_id, tool_name, from_version_id, from_activation, to_version_id, to_version_number, tier,
    reason, details, issued_by, issued_at, status, rejection, applied_at, expires_at,
    approved_by, dismissed_by, dismissal, target, is_breaking_change, breaking_changes,
    explanation, hold_reason
) values (
    $1, $2, $3, $4, $5, $6, $7,
    $8, $9::text::jsonb, $10, $11, $12, $13, clock_timestamp(),
    clock_timestamp() + make_interval(secs => $14),
    $15, $16, $17, $18, $19, $20,
    $21::text::jsonb, $22
)
returning *
