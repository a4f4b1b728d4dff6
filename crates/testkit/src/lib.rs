//! railhead-testkit
