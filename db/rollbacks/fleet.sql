-- At most as many rows for each time as the budget has: with that many, the budget is spent.
-- name: near
select command.at, near.issued_at
from unnest($1::timestamptz[], $2::interval[], $3::int[]) as command (at, span, budget)
cross join lateral (
    select rollbacks.issued_at
    from rollbacks
    where rollbacks.status = 'applied'
        and rollbacks.tier <> 'manual'
        and rollbacks.approved_by is null
        and rollbacks.issued_at > command.at - command.span
        and rollbacks.issued_at < command.at + command.span
    limit command.budget
) as near

-- The tools of which the brake holds a command about this activation, which a person can still answer.
-- name: waiting
select distinct rollbacks.tool_name
from unnest($1::text[], $2::int[], $3::int[]) as command (tool_name, version_id, activation)
join rollbacks
    on rollbacks.tool_name = command.tool_name
    and rollbacks.from_version_id = command.version_id
    and rollbacks.from_activation = command.activation
where rollbacks.status = 'held'
    and rollbacks.hold_reason = 'fleet_budget'
    and rollbacks.expires_at > clock_timestamp()
