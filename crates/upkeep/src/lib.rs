//! railhead-upkeep
