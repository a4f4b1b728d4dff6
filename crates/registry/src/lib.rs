//! railhead-registry
