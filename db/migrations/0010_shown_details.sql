-- The details of a command have at most 64 KiB as their shortest JSON. Rows that were stored before that
-- limit may have much more, and so may numbers such as 1e300, which Postgres writes out. Who reads
-- commands gets details of at most 128 KiB, as Postgres writes them: its blanks let them grow by half.
-- The cost lets Postgres sort and count off the rows first.
create function shown_details(details jsonb) returns jsonb
language plpgsql immutable strict parallel safe cost 1000
as $$
declare
    size int := octet_length(details::text);
begin
    if size <= 131072 then
        return details;
    end if;
    return jsonb_build_object('left_out', format('%s bytes of details', size));
end
$$;

-- Replaced, not made anew: who may read it keeps that.
create or replace view rollback_records as
select
    rollbacks.command_id,
    rollbacks.tool_name,
    rollbacks.from_version_id,
    source.version_number as from_version_number,
    rollbacks.to_version_id,
    coalesce(rollbacks.to_version_number, target.version_number) as to_version_number,
    rollbacks.tier,
    rollbacks.reason,
    shown_details(rollbacks.details) as details,
    rollbacks.issued_by,
    rollbacks.issued_at,
    rollbacks.status,
    rollbacks.rejection,
    rollbacks.applied_at,
    rollbacks.from_activation,
    rollbacks.expires_at,
    rollbacks.approved_by,
    rollbacks.dismissed_by,
    rollbacks.dismissal,
    rollbacks.target,
    rollbacks.is_breaking_change,
    rollbacks.breaking_changes
from rollbacks
left join tool_versions source
    on source.version_id = rollbacks.from_version_id and source.tool_name = rollbacks.tool_name
left join tool_versions target
    on target.version_id = rollbacks.to_version_id and target.tool_name = rollbacks.tool_name;
