-- Accounts of a forge: which owner is which there, and what was decided of repositories.

-- The number that the forge gives a user or organisation; it keeps it when it is renamed.
CREATE TABLE forge_owner (
    owner    BIGINT PRIMARY KEY REFERENCES owner (id) ON DELETE CASCADE,
    forge_id BIGINT NOT NULL UNIQUE
);

-- Whether its visibility counts by itself; otherwise it follows the forge.
ALTER TABLE repository ADD COLUMN decided BIGINT NOT NULL DEFAULT 1;
-- Whether everybody could pull from it when the forge was last asked.
ALTER TABLE repository ADD COLUMN was_public BIGINT NOT NULL DEFAULT 0;
