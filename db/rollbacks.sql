-- name: stored
select * from rollbacks where command_id = $1

-- name: current
select version_id, version_number, activation, code_hash
from tool_versions
where tool_name = $1 and is_current

-- name: versions_among
select version_id, version_number, code_hash
from tool_versions
where tool_name = $1 and version_id = any($2::int[])

-- In the order in which executions are counted, so that neither waits for the other in a circle.
-- name: lock_versions
select version_id
from tool_versions
where version_id = any($1::int[])
order by version_id
for no key update

-- name: retire
update tool_versions set is_current = false where version_id = $1

-- name: activate
update tool_versions
set is_current = true,
    activation = 1 + (select max(other.activation) from tool_versions other where other.tool_name = $1),
    activated_at = $3,
    activated_by_kind = 'rollback',
    activated_by_id = $4
where tool_name = $1 and version_id = $2

-- name: store
insert into rollbacks (
    command_id, tool_name, from_version_id, to_version_id, to_version_number, tier, reason, details,
    issued_by, issued_at, status, rejection, applied_at
) values (
    $1, $2, $3, $4, $5, $6, $7, $8::text::jsonb,
    $9, $10, $11, $12, clock_timestamp()
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
