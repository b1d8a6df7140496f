-- What the console asks must not become slower with the number of tools.
--
-- Thousands of rollbacks may be stopped at the same moment: pages of them are read in the whole order.
drop index rollbacks_applied_at;
create index rollbacks_newest on rollbacks (applied_at, command_id, tool_name);

-- The same view. `tool_name` had another type in each half of the union, and so Postgres read all versions
-- and all rollbacks to find those of one tool. Replaced, not made anew: who may read it keeps that.
create or replace view activations as
with changes as (
    select
        version.tool_name,
        version.version_id,
        (deployments.outcome ->> 'activation')::int as known_number,
        version.created_at as activated_at,
        coalesce(deployments.applied_at, version.created_at) as began_at,
        'deployment' as activated_by_kind,
        version.deployment_id as activated_by_id,
        coalesce(version.author, version.created_by) as activated_by_name,
        version.improvement_reason as reason
    from tool_versions version
    left join deployments using (tool_name, deployment_id)
    union all
    select
        rollbacks.tool_name::varchar,
        rollbacks.to_version_id,
        null,
        case when rollbacks.approved_by is null then rollbacks.issued_at else rollbacks.applied_at end,
        rollbacks.applied_at,
        'rollback',
        rollbacks.command_id,
        coalesce(rollbacks.approved_by, rollbacks.issued_by),
        rollbacks.reason
    from rollbacks
    where rollbacks.status = 'applied'
),
numbered as (
    select *, count(known_number) over in_order as known_before
    from changes
    window in_order as (partition by tool_name order by began_at, version_id)
)
select
    numbered.tool_name,
    (
        coalesce(max(known_number) over same_known, 0)
        + row_number() over (same_known order by began_at, numbered.version_id)
        - (known_before > 0)::int
    )::int as activation,
    numbered.version_id,
    version.version_number,
    version.previous_version_id,
    version.code_hash,
    numbered.activated_at,
    numbered.began_at,
    lead(began_at) over in_order as ended_at,
    numbered.activated_by_kind,
    numbered.activated_by_id,
    numbered.activated_by_name,
    numbered.reason
from numbered
join tool_versions version
    on version.version_id = numbered.version_id and version.tool_name = numbered.tool_name
window
    in_order as (partition by numbered.tool_name order by began_at, numbered.version_id),
    same_known as (partition by numbered.tool_name, known_before);
