-- Whose failure it was. No check and no index: that would read the whole table under its lock.
alter table tool_executions
    add column error_origin text,
    add column stated_origin text;

comment on column tool_executions.error_origin is
    'whose failure it was counted as when it was recorded: tool, caller or environment; null for a success, and for a failure from before 0014, which is the tool''s';
comment on column tool_executions.stated_origin is
    'what its producer said; null: nothing, and error_origin follows from the settings of that time';

-- Failures that are not the tool's are counted here alone: not in total_executions and success_rate.
alter table tool_versions
    add column caller_failures bigint not null default 0,
    add column environment_failures bigint not null default 0;

comment on column tool_versions.total_executions is
    'executions that are judged: the successes, and the failures of the tool';
comment on column tool_versions.caller_failures is
    'failures whose caller was to blame; they are not judged, and not in total_executions';
comment on column tool_versions.environment_failures is
    'failures of something that the tool depends on; not judged, and not in total_executions';
comment on column tool_versions.pruned_executions is
    'so many of total_executions were counted and then removed from tool_executions';

-- The recorder counts them: who may write the other counts, column by column, may write these.
do $$
declare
    recorder text;
begin
    for recorder in
        select case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end
        from pg_attribute, aclexplode(attacl)
        where attrelid = 'tool_versions'::regclass
            and attname = 'total_executions'
            and privilege_type = 'UPDATE'
    loop
        execute format(
            'grant update (caller_failures, environment_failures) on tool_versions to %s', recorder
        );
    end loop;
end
$$;
