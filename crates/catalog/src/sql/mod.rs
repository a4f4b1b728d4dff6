//! engines
/// What an engine said.
#[derive(Debug, thiserror::Error)]
#[error("engine")]
pub struct EngineError;
impl EngineError {
    pub(crate) fn is_full(&self) -> bool {
        false
    }
}
