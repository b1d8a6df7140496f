-- name: stored
select * from rollbacks where command_id = $1

-- name: current
select version_id, version_number, activation from tool_versions where tool_name = $1 and is_current

-- name: versions_among
select version_id, version_number
from tool_versions
where tool_name = $1 and version_id = any($2::int[])

-- The versions behind one another from the current one, nearest first. A version is always older
-- than the one that replaced it, so their ids fall and the walk ends.
-- name: way_back
with recursive back as (
    select version_id, version_number, previous_version_id
    from tool_versions
    where tool_name = $1 and version_id = $2
    union all
    select earlier.version_id, earlier.version_number, earlier.previous_version_id
    from back
    join tool_versions earlier on earlier.version_id = back.previous_version_id
    where earlier.tool_name = $1 and earlier.version_id < back.version_id
)
select version_id, version_number from back where version_id <> $2 order by version_id desc

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
