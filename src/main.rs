//! The `compt` executable: parse, call, map the error to an exit code.

fn main() {}
