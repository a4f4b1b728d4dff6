//! Settings.
use crate::*;
impl Catalog {
    pub async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        todo!()
    }
    /// The stored value, which is `value` when there was none.
    pub async fn setting_or_insert(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>> {
        todo!()
    }
}
