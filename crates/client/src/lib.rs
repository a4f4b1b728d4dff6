//! railhead-client
