-- Collection: which links may go and when, which objects are on their way out, and who wants objects to stay.

-- When a link that no manifest needs may go: the end of a lease, or of the grace behind a deleted manifest.
-- NULL: a manifest needs the blob. Every link that none needs has a time.
ALTER TABLE repository_blob ADD COLUMN due_at INTEGER;
-- A run looks at the beginning of this index: it costs what has changed, not what is stored.
CREATE INDEX repository_blob_due ON repository_blob (due_at) WHERE due_at IS NOT NULL;
-- What no manifest needs today is looked at in a day.
UPDATE repository_blob SET due_at = unixepoch('now') * 1000 + 86400000 WHERE NOT EXISTS
    (SELECT 1 FROM manifest_reference AS f
     WHERE f.repository = repository_blob.repository AND f.digest = repository_blob.digest);

-- Objects that no blob has any more, and that the store may still have.
CREATE TABLE forgotten_object (
    object_key TEXT PRIMARY KEY,
    size       INTEGER NOT NULL,
    due_at     INTEGER NOT NULL -- when to try (again) to remove it
) STRICT, WITHOUT ROWID;
CREATE INDEX forgotten_object_due ON forgotten_object (due_at);

-- While a hold is in force no object is removed from the store.
CREATE TABLE hold (
    name       TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
