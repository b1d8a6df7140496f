-- name: stored
select * from rollbacks where command_id = any($1::uuid[])

-- name: current
select tool_name, version_id, version_number, activation, code_hash
from tool_versions
where tool_name = any($1::text[]) and is_current

-- name: named
select version.tool_name, version.version_id, version.version_number, version.code_hash
from unnest($1::text[], $2::int[]) as named (tool_name, version_id)
join tool_versions version using (tool_name, version_id)

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
    approved_by, dismissed_by, dismissal, target, is_breaking_change, breaking_changes
) values (
    $1, $2, $3, $4, $5, $6, $7,
    $8, $9::text::jsonb, $10, $11, $12, $13, clock_timestamp(),
    clock_timestamp() + make_interval(secs => $14),
    $15, $16, $17, $18, $19, $20
)
returning *

-- name: newest
select *
from rollback_records
where applied_at >= coalesce($1::timestamptz, '-infinity')
order by applied_at desc
limit $2

-- name: newest_of_tool
select *
from rollback_records
where tool_name = $3 and applied_at >= coalesce($1::timestamptz, '-infinity')
order by applied_at desc
limit $2

-- name: among
select * from rollback_records where command_id = any($1::uuid[])

-- name: about
select *
from rollback_records
where tool_name = $1 and from_version_id = any($2::int[])
order by applied_at

-- name: held
select record.*
from rollback_records record
join tool_versions current
    on current.tool_name = record.tool_name
    and current.is_current
    and current.version_id = record.from_version_id
    and current.activation = record.from_activation
where record.status = 'held'
    and record.expires_at > clock_timestamp()
    and ($1::text is null or record.tool_name = $1::text)
order by record.applied_at desc
