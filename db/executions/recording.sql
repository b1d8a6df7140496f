-- name: next_offset
select next_offset from recorder_offsets where topic = $1 and partition = $2

-- name: move_offset
insert into recorder_offsets (topic, partition, next_offset)
values ($1, $2, $4)
on conflict (topic, partition) do update
set next_offset = excluded.next_offset
where recorder_offsets.next_offset = $3
returning next_offset

-- name: current
select tool_name, version_id, activation from recorder_current where tool_name = any($1::text[])

-- name: remember
insert into recorder_current (tool_name, version_id, activation)
select * from unnest($1::text[], $2::int[], $3::int[])
on conflict (tool_name) do update
set version_id = excluded.version_id, activation = excluded.activation
where recorder_current.activation < excluded.activation

-- name: adopt
update recorder_current
set version_id = adopted.version_id, activation = adopted.activation
from unnest($1::text[], $2::int[], $3::int[]) as adopted (tool_name, version_id, activation)
where recorder_current.tool_name = adopted.tool_name

-- There are thousands of ids. A plan that was made when the table was empty would read the whole
-- table for each batch.
-- name: read_by_index
set local enable_seqscan = off

-- Each is looked up by the whole key: many tools may have executions with the same id. `limit` lets
-- Postgres look up one after the other, in their order.
-- name: known
select asked.tool_name, asked.execution_id
from unnest($1::text[], $2::uuid[]) as asked (tool_name, execution_id)
cross join lateral (
    select
    from tool_executions stored
    where stored.execution_id = asked.execution_id and stored.tool_name = asked.tool_name
    limit 1
) as found

-- name: lock_versions
select version_id
from tool_versions
where version_id = any($1::int[])
order by version_id
for no key update

-- name: count
update tool_versions
set total_executions = total_executions + executions,
    successful_executions = successful_executions + successes,
    success_rate = (successful_executions + successes)::double precision
        / nullif(total_executions + executions, 0),
    caller_failures = caller_failures + callers,
    environment_failures = environment_failures + environments
from unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    as added (version_id, tool_name, executions, successes, callers, environments)
where tool_versions.version_id = added.version_id and tool_versions.tool_name = added.tool_name
