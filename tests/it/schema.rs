//! The schemas that editors read say what the program reads.

use crate::project::{Project, both};

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let output = Project::new().compt(&["schema", "--check", "--folder", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", both(&output));
}
