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

-- The next page after a command. `applied_at` is compared twice: the index of a tool has it alone.
-- name: page
select *
from rollback_records
where ($1::text is null or tool_name = $1::text)
    and ($2::text is null or status = $2::text)
    and applied_at >= coalesce($3::timestamptz, '-infinity')
    and ($4::text is null or tier = $4::text)
    and applied_at <= coalesce(least($5::timestamptz, $6::timestamptz), 'infinity')
    and (applied_at, command_id, tool_name)
        < (coalesce($6::timestamptz, 'infinity'), $7::uuid, $8::text)
order by applied_at desc, command_id desc, tool_name desc
limit $9

-- name: among
select record.*
from unnest($1::text[], $2::uuid[], $3::boolean[]) as command (tool_name, command_id, is_automatic)
join rollback_records record
    on record.tool_name = command.tool_name
    and record.command_id = command.command_id
    and (record.tier <> 'manual') = command.is_automatic

-- name: between
select distinct on (command_id, tool_name) tool_name, command_id, is_automatic
from rollbacks
where command_id between $1 and $2 and ($3::text is null or tool_name = $3::text)
order by command_id, tool_name, is_automatic desc
limit $4

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
