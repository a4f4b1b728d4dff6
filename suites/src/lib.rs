//! Runs the product as a whole against real clients.
