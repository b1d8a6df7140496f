-- The locks of tools: whoever changes a tool, or publishes its versions, locks its row of that kind.
-- Only a role that may write to this table can lock its rows; a role that may only read cannot.
create table tool_locks (
    tool_name text not null,
    kind text not null check (kind in ('change', 'publish')),
    primary key (tool_name, kind)
);

comment on table tool_locks is 'holds nothing: its rows are there to be locked';
