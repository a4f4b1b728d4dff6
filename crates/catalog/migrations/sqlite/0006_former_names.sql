-- Names that owners of the forge had before: what was pulled under them can be pulled so for a while.
CREATE TABLE former_name (
    name_key   TEXT PRIMARY KEY,
    owner      INTEGER NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    renamed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX former_name_owner ON former_name (owner);
