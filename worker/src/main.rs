//! `compt-worker`: runs the stages of compt that need tensors.

fn main() {}
