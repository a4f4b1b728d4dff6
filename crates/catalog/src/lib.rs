//! railhead-catalog
