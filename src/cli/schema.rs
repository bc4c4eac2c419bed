//! `compt schema`: the JSON Schemas that editors read, generated from the types.

use super::arguments::SchemaArguments;
use super::failure::Failure;
use crate::base::files::write_atomically;
use crate::operation::ALL;

/// Writes the schemas, or with `--check` fails when the committed ones differ from the types.
pub fn schema(arguments: &SchemaArguments) -> Result<(), Failure> {
    let operations: Vec<_> = ALL.iter().map(|operation| (operation.name(), operation.schema())).collect();
    let files = [
        ("pipeline.schema.json", crate::spec::schema(&operations)),
        ("dataset.schema.json", crate::task::dataset::schema().to_value()),
    ];
    let mut stale = Vec::new();
    for (name, value) in files {
        let mut text = serde_json::to_string_pretty(&value).expect("a schema is plain JSON");
        text.push('\n');
        let path = arguments.folder.join(name);
        if fs_err::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if arguments.check {
            stale.push(format!("`{}`", path.display()));
        } else {
            write_atomically(&path, text.as_bytes())?;
            super::print(&format!("wrote {}\n", path.display()));
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{} differ from the types in the source", stale.join(" and ")),
        "type `compt schema` and commit the result",
    ))
}
