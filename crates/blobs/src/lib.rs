//! railhead-blobs
