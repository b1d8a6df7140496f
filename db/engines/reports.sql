-- Of each tool at most `$11` engines. Those that are known come first.
-- name: store
with given as (
    select *
    from unnest(
        $1::text[], $2::text[], $3::int[], $4::int[], $5::boolean[], $6::text[], $7::text[],
        $8::timestamptz[], $9::timestamptz[], $10::boolean[]
    ) as given (
        tool_name, engine_id, version_id, activation, ok, error, error_type, loaded_at,
        reported_at, ended
    )
),
held as (
    select tool_name, count(*) as engines
    from engine_reports
    where tool_name = any($1::text[])
    group by tool_name
),
placed as (
    select
        given.*,
        stored.engine_id is not null as is_known,
        row_number() over (
            partition by given.tool_name, stored.engine_id is not null order by given.engine_id
        ) as place
    from given
    left join engine_reports stored
        on stored.tool_name = given.tool_name and stored.engine_id = given.engine_id
)
insert into engine_reports as stored (
    tool_name, engine_id, version_id, activation, ok, error, error_type, loaded_at, reported_at,
    ended
)
select
    tool_name, engine_id, version_id, activation, ok, error, error_type, loaded_at, reported_at,
    ended
from placed
left join held using (tool_name)
where is_known or coalesce(held.engines, 0) + place <= $11
order by tool_name, engine_id
on conflict (tool_name, engine_id) do update
set version_id = excluded.version_id,
    activation = excluded.activation,
    ok = excluded.ok,
    error = excluded.error,
    error_type = excluded.error_type,
    loaded_at = excluded.loaded_at,
    reported_at = excluded.reported_at,
    ended = excluded.ended
where stored.reported_at <= excluded.reported_at

-- The row stays for a while: executions of the engine may be recorded after this.
-- name: end
update engine_reports
set ended = true, reported_at = given.ended_at
from unnest($1::text[], $2::text[], $3::timestamptz[]) as given (tool_name, engine_id, ended_at)
where engine_reports.tool_name = given.tool_name
    and engine_reports.engine_id = given.engine_id
    and engine_reports.reported_at <= given.ended_at
