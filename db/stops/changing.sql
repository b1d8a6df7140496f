-- The time is the same for all columns. What had expired before stays expired.
-- name: end
update stops
set ended_at = least(stops.expires_at, clock.now),
    ended_by = case when stops.expires_at <= clock.now then null else ending.by end,
    ended_how = case when stops.expires_at <= clock.now then 'expired' else ending.how end
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    as ending (kind, tool_name, code_hash, by, how)
cross join clock_timestamp() as clock (now)
where stops.ended_at is null
    and stops.kind = ending.kind
    and stops.tool_name = ending.tool_name
    and stops.code_hash is not distinct from ending.code_hash
returning stops.*

-- name: begin
insert into stops (
    kind, tool_name, version_id, code_hash, command_id, reason, set_by, expires_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning
    *,
    (select version_number from tool_versions where version_id = stops.version_id) as version_number

-- name: has_versions
select exists (select from tool_versions where tool_name = $1 and is_current)
