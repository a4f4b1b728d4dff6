//! The admin API's language: what is asked below `/api/v1`, and what is answered. JSON, one type a shape.
//!
//! The server's handlers and the command line both use these types, so the two cannot drift apart. Nothing here knows
//! the catalog: what is stored may change while what is answered stays. An answer may gain fields, so unknown fields in
//! answers are ignored; an unknown field in a question is refused, since it is something that the asker meant.
//!
//! Times are RFC 3339 in UTC, sizes are bytes, and a limit of `-1` is no limit.

mod accounts;
mod collection;
mod error;
mod repositories;
mod retention;
mod routes;
mod scrub;
mod trail;
mod usage;

pub use accounts::{
    Limits, LimitsChange, Member, MemberChange, Members, OnForge, Organisation, OrganisationCreate,
    Organisations, OwnerState, Owners, Role, Token, TokenCreate, TokenCreated, Tokens, User, UserCreate,
    UserEnabled, UserPassword, Users,
};
pub use collection::{Amount, CollectionRun, CollectionState, Hold};
pub use error::{ErrorBody, ErrorCode, ErrorDetail};
pub use repositories::{
    Deleted, Manifest, Manifests, Repositories, Repository, RepositoryDetail, Tag, Tags, Visibility,
    VisibilityChange,
};
pub use retention::{
    Forecast, Plan, RetentionApplied, RetentionApply, RetentionEmptied, RetentionMoved, RetentionOutlook,
    RetentionRun, RetentionTrash, RetentionUndo, RetentionUndone, RetentionWish, Rules,
};
pub use routes::{NoRoute, PREFIX, Route, segment, unsegment};
pub use scrub::{BlobUse, Damage, Damages, ScrubState, Stranger, Verification, VerifyStart};
pub use trail::{AuditEvent, AuditEvents, Status};
pub use usage::{Difference, OwnerUsage, Recount, RecountStart, RepositoryUsage, Usage, UsageOfOwner};
