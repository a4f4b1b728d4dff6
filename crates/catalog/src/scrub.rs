//! How far the walk is that rehashes every blob, so that it goes on after a restart, and by one replica at a time.

use railhead_oci::Digest;

use crate::sql::{Row, params};
use crate::{Catalog, Error, Result, Timestamp};

/// A round of the walk over all blobs, in the order of their digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubRound {
    /// When it began; `None` between two rounds.
    pub started_at: Option<Timestamp>,
    /// The last blob that was hashed.
    pub position: Option<Digest>,
    /// Blobs hashed in this round.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that were found damaged.
    pub damaged: u64,
    /// When the last full round ended.
    pub ended_at: Option<Timestamp>,
}

impl ScrubRound {
    fn read(mut row: Row) -> Result<Self> {
        Ok(Self {
            started_at: row.take()?,
            position: Some(row.take::<String>()?)
                .filter(|text| !text.is_empty())
                .map(|text| text.parse())
                .transpose()
                .map_err(|_| Error::Corrupt("the scrub's position is not a digest".to_owned()))?,
            blobs: row.take()?,
            bytes: row.take()?,
            damaged: row.take()?,
            ended_at: row.take()?,
        })
    }
}

impl Catalog {
    /// The round, as it was last written down.
    pub async fn scrub_round(&self) -> Result<ScrubRound> {
        self.read("read how far the scrub is", |sql| {
            let statement =
                "SELECT started_at, position, blobs, bytes, damaged, ended_at FROM scrub WHERE id = 1";
            sql.first(statement, &[])?.map_or_else(|| Ok(ScrubRound::default()), ScrubRound::read)
        })
        .await
    }

    /// Takes the turn until `until`, or keeps it; `None` when somebody else has it. Volatile.
    pub async fn claim_scrub(
        &self,
        who: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<ScrubRound>> {
        let who = who.to_owned();
        self.write_volatile("take the turn at the scrub", move |sql| {
            let row = sql.first(
                "UPDATE scrub SET held_by = ?1, held_until = ?3
                 WHERE id = 1 AND (held_by = ?1 OR held_until <= ?2)
                 RETURNING started_at, position, blobs, bytes, damaged, ended_at",
                params![&who, now, until],
            )?;
            row.map(ScrubRound::read).transpose()
        })
        .await
    }

    /// Writes down how far the round is; `false` when somebody else has the turn by now. Volatile: what a power cut
    /// loses is hashed once more.
    pub async fn save_scrub(&self, who: &str, round: &ScrubRound) -> Result<bool> {
        let (who, round) = (who.to_owned(), *round);
        self.write_volatile("write down how far the scrub is", move |sql| {
            let position = round.position.map_or_else(String::new, |digest| digest.to_string());
            let rows = sql.execute(
                "UPDATE scrub SET started_at = ?2, position = ?3, blobs = ?4, bytes = ?5, damaged = ?6,
                 ended_at = ?7 WHERE id = 1 AND held_by = ?1",
                params![
                    &who,
                    round.started_at,
                    &position,
                    round.blobs,
                    round.bytes,
                    round.damaged,
                    round.ended_at
                ],
            )?;
            Ok(rows == 1)
        })
        .await
    }
}
