-- name: pin
insert into pins (tool_name, reason, pinned_by, expires_at)
select $1::text, $2, $3, $4::timestamptz
where exists (select from tool_versions where tool_name = $1::text and is_current)
on conflict (tool_name) do update
set reason = excluded.reason,
    pinned_by = excluded.pinned_by,
    pinned_at = excluded.pinned_at,
    expires_at = excluded.expires_at
returning *

-- name: unpin
delete from pins
where tool_name = $1 and (expires_at is null or expires_at > clock_timestamp())
returning *

-- name: all
select *
from pins
where expires_at is null or expires_at > clock_timestamp()
order by tool_name

-- name: in_force
select *
from pins
where tool_name = any($1::text[]) and (expires_at is null or expires_at > clock_timestamp())
