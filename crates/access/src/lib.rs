//! railhead-access
