//! railhead-api
