-- Of each tool at most `$8` engines. The count begins anew with each activation of the tool.
-- name: store
with given as (
    select *
    from unnest(
        $1::text[], $2::text[], $3::int[], $4::int[], $5::bigint[], $6::timestamptz[],
        $7::timestamptz[]
    ) as given (
        tool_name, engine_id, version_id, activation, stale_executions, began_at, executed_at
    )
),
held as (
    select tool_name, count(*) as engines
    from engine_executions
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
    left join engine_executions stored
        on stored.tool_name = given.tool_name and stored.engine_id = given.engine_id
)
insert into engine_executions as stored (
    tool_name, engine_id, version_id, activation, stale_executions, began_at, executed_at
)
select tool_name, engine_id, version_id, activation, stale_executions, began_at, executed_at
from placed
left join held using (tool_name)
where is_known or coalesce(held.engines, 0) + place <= $8
order by tool_name, engine_id
on conflict (tool_name, engine_id) do update
set version_id = excluded.version_id,
    activation = excluded.activation,
    stale_executions = excluded.stale_executions
        + case when stored.activation = excluded.activation then stored.stale_executions else 0 end,
    began_at = excluded.began_at,
    executed_at = excluded.executed_at
