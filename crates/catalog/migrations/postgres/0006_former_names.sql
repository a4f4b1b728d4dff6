-- Names that owners of the forge had before: what was pulled under them can be pulled so for a while.
CREATE TABLE former_name (
    name_key   TEXT PRIMARY KEY,
    owner      BIGINT NOT NULL REFERENCES owner (id) ON DELETE CASCADE,
    renamed_at BIGINT NOT NULL
);
CREATE INDEX former_name_owner ON former_name (owner);
