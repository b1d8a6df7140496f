-- What engines say that they run, and what they were seen to execute: of each engine and tool the newest.
-- An engine of which nothing is heard any more is removed.
create table engine_reports (
    tool_name text not null,
    engine_id text not null,
    version_id integer not null,
    activation integer not null,
    ok boolean not null,
    error text,
    error_type text,
    loaded_at timestamptz not null,
    reported_at timestamptz not null,
    ended boolean not null default false,
    primary key (tool_name, engine_id)
);

comment on table engine_reports is 'which version of a tool an engine says it has loaded, or could not load';
comment on column engine_reports.activation is 'the activation of the tool that the engine has learned of';
comment on column engine_reports.reported_at is 'the Kafka timestamp of its newest report';
comment on column engine_reports.ended is 'whether the engine has said since that it has ended';

create table engine_executions (
    tool_name text not null,
    engine_id text not null,
    version_id integer not null,
    activation integer not null,
    stale_executions bigint not null,
    began_at timestamptz not null,
    executed_at timestamptz not null,
    primary key (tool_name, engine_id)
);

comment on table engine_executions is 'which version of a tool an engine has executed last';
comment on column engine_executions.activation is 'the activation of the tool at that position of the log';
comment on column engine_executions.stale_executions is
    'how many executions since this activation were of another version than the current one';
comment on column engine_executions.began_at is 'when that execution began';

-- Who may store executions may store these, and who may read executions may read them.
do $$
declare
    given record;
begin
    for given in
        select
            privilege_type,
            case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as who
        from pg_class, aclexplode(relacl)
        where oid = 'tool_executions'::regclass and privilege_type in ('SELECT', 'INSERT')
    loop
        if given.privilege_type = 'SELECT' then
            execute format('grant select on engine_reports, engine_executions to %s', given.who);
        else
            execute format(
                'grant insert, update, delete on engine_reports, engine_executions to %s', given.who
            );
        end if;
    end loop;
end
$$;
