//! Empty: gives the build dependencies of Cargo.toml a place to be unified.
fn main() {}
