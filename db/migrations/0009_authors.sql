-- The author of a version, if the deployment was signed: the name, and what was signed (as JSON).
alter table tool_versions
    add column author text,
    add column authorship text;
