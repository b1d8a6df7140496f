-- What a person said stays: pins, freezes, rejections, and the waits that begin with a person's rollback.
-- What has ended keeps its row.
create table stops (
    stop_id bigint generated always as identity primary key,
    kind text not null check (kind in ('pin', 'freeze', 'rejection', 'wait')),
    tool_name text not null,
    version_id int,
    code_hash text,
    command_id uuid,
    reason text not null,
    set_by text not null,
    began_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    ended_how text check (ended_how in ('removed', 'replaced', 'expired', 'deployment', 'rollback')),
    constraint stops_end check ((ended_at is null) = (ended_how is null)),
    constraint stops_of_code check (
        (kind = 'rejection') = (code_hash is not null)
        and (kind = 'rejection') = (version_id is not null)
    ),
    constraint stops_of_all check (tool_name <> '' or kind in ('pin', 'freeze'))
);

comment on table stops is 'what people said against automatic rollbacks and deployments';
comment on column stops.kind is
    'pin: no automatic rollback; freeze and wait: no autonomous deployment; rejection: not this code';
comment on column stops.tool_name is 'empty: all tools, also those that come later';
comment on column stops.version_id is 'of a rejection: the version whose code was rejected';
comment on column stops.command_id is 'of a wait: the rollback that it began with';
comment on column stops.expires_at is 'null: until somebody ends it';
comment on column stops.ended_at is
    'null: in force until expires_at; that it has expired is written when the next one begins';
comment on column stops.ended_by is 'null: it expired';
comment on column stops.ended_how is
    'removed by a verb, replaced by another, expired, or ended by a person''s deployment or rollback';

create unique index stops_not_ended on stops (tool_name, kind, coalesce(code_hash, ''))
    where ended_at is null;
create index stops_of_tool on stops (tool_name, began_at);

create view stops_in_force as
select *
from stops
where ended_at is null and (expires_at is null or expires_at > clock_timestamp());

-- Code that is no target of a rollback.
create view untrusted_code as
select tool_name, code_hash from distrusted_code
union
select tool_name, code_hash from stops_in_force where kind = 'rejection';

insert into stops (kind, tool_name, reason, set_by, began_at, expires_at)
select 'pin', tool_name, reason, pinned_by, pinned_at, expires_at from pins;

alter table pins rename to former_pins;

-- The pins that are in force, as they were shown before there were stops. If all tools are pinned, every
-- tool has a row; a pin of its own comes first.
create view pins as
select tool_name, reason, set_by as pinned_by, began_at as pinned_at, expires_at
from stops_in_force
where kind = 'pin' and tool_name <> ''
union all
select version.tool_name, stop.reason, stop.set_by, stop.began_at, stop.expires_at
from stops_in_force stop
join tool_versions version on version.is_current
where stop.kind = 'pin'
    and stop.tool_name = ''
    and not exists (
        select
        from stops_in_force own
        where own.kind = 'pin' and own.tool_name = version.tool_name
    );

-- Who may do what stays: who wrote pins writes stops, and so does who stores rollbacks, because a
-- rollback may begin or end one. Nobody may delete.
do $$
declare
    granted record;
begin
    for granted in
        select distinct
            case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as who,
            relname = 'former_pins' and privilege_type = 'SELECT' as reads,
            privilege_type = 'INSERT' as writes
        from pg_class, aclexplode(relacl)
        where pg_class.oid in ('former_pins'::regclass, 'rollbacks'::regclass)
    loop
        if granted.reads then
            execute format(
                'grant select on stops, stops_in_force, untrusted_code, pins to %s', granted.who
            );
        end if;
        if granted.writes then
            execute format(
                'grant insert, update (ended_at, ended_by, ended_how) on stops to %s', granted.who
            );
        end if;
    end loop;
end
$$;

drop table former_pins;
