-- The page comes first: each half of it is read in the order of its key, and no further than needed. An
-- engine that both reports and executes is in both, and so it is united with itself. With $6 those are
-- left out that surely run the current version.
-- name: list
with page as materialized (
    (
        select report.tool_name, report.engine_id
        from engine_reports report
        join tool_versions current on current.tool_name = report.tool_name and current.is_current
        left join engine_executions executed
            on executed.tool_name = report.tool_name and executed.engine_id = report.engine_id
        where ($1::text is null or report.tool_name = $1::text)
            and not report.ended
            and greatest(report.reported_at, executed.executed_at)
                > clock_timestamp() - make_interval(secs => $2)
            and ($3::text is null or (report.tool_name, report.engine_id) > ($3::text, $4::text))
            and (
                not $6::boolean
                or report.activation <> current.activation
                or not report.ok
                or (executed.activation = current.activation and executed.version_id <> current.version_id)
            )
        order by report.tool_name, report.engine_id
        limit $5::int
    )
    union
    (
        select executed.tool_name, executed.engine_id
        from engine_executions executed
        join tool_versions current on current.tool_name = executed.tool_name and current.is_current
        left join engine_reports report
            on report.tool_name = executed.tool_name and report.engine_id = executed.engine_id
        where ($1::text is null or executed.tool_name = $1::text)
            and report.ended is not true
            and executed.executed_at > clock_timestamp() - make_interval(secs => $2)
            and ($3::text is null or (executed.tool_name, executed.engine_id) > ($3::text, $4::text))
            and (
                not $6::boolean
                or report.activation <> current.activation
                or not report.ok
                or (executed.activation = current.activation and executed.version_id <> current.version_id)
            )
        order by executed.tool_name, executed.engine_id
        limit $5::int
    )
)
select
    page.tool_name,
    page.engine_id,
    current.version_id as current_version_id,
    current.version_number as current_version_number,
    current.activation as current_activation,
    report.version_id as reported_version_id,
    reported.version_number as reported_version_number,
    report.activation as reported_activation,
    report.ok,
    report.error,
    report.error_type,
    report.loaded_at,
    report.reported_at,
    executed.version_id as executed_version_id,
    ran.version_number as executed_version_number,
    executed.activation as executed_activation,
    executed.stale_executions,
    executed.began_at,
    executed.executed_at
from page
join tool_versions current on current.tool_name = page.tool_name and current.is_current
left join engine_reports report
    on report.tool_name = page.tool_name and report.engine_id = page.engine_id
left join engine_executions executed
    on executed.tool_name = page.tool_name and executed.engine_id = page.engine_id
left join tool_versions reported on reported.version_id = report.version_id
left join tool_versions ran on ran.version_id = executed.version_id
order by page.tool_name, page.engine_id
limit $5::int

-- name: forget_ended
with ended as (
    delete from engine_reports
    where ended and reported_at <= clock_timestamp() - make_interval(secs => $1)
    returning tool_name, engine_id
)
delete from engine_executions executed
using ended
where executed.tool_name = ended.tool_name and executed.engine_id = ended.engine_id

-- name: forget_reports
delete from engine_reports report
where report.reported_at <= clock_timestamp() - make_interval(secs => $1)
    and not exists (
        select
        from engine_executions executed
        where executed.tool_name = report.tool_name
            and executed.engine_id = report.engine_id
            and executed.executed_at > clock_timestamp() - make_interval(secs => $1)
    )

-- name: forget_executions
delete from engine_executions executed
where executed.executed_at <= clock_timestamp() - make_interval(secs => $1)
    and not exists (
        select
        from engine_reports report
        where report.tool_name = executed.tool_name
            and report.engine_id = executed.engine_id
            and report.reported_at > clock_timestamp() - make_interval(secs => $1)
    )
