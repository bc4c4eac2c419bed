//! `compt schema`: the JSON Schemas that editors read, generated from the types.

use serde_json::json;

use super::arguments::SchemaArguments;
use super::failure::Failure;
use crate::base::files::write_atomically;
use crate::operation::ALL;

/// Writes the schemas, or with `--check` fails when the committed ones differ from the types.
pub fn schema(arguments: &SchemaArguments) -> Result<(), Failure> {
    let (mut stale, mut written, mut current) = (Vec::new(), Vec::new(), Vec::new());
    for (name, text) in files() {
        let path = arguments.folder.join(name);
        if fs_err::read_to_string(&path).is_ok_and(|old| old == text) {
            current.push(path);
        } else if arguments.check {
            stale.push(path);
        } else {
            write_atomically(&path, text.as_bytes())?;
            written.push(path);
        }
    }
    if arguments.json {
        super::print(&super::as_json(&json!({ "written": written, "current": current, "stale": stale })));
    } else {
        super::print(&written.iter().map(|path| format!("wrote {}\n", path.display())).collect::<String>());
    }
    if stale.is_empty() {
        return Ok(());
    }
    let stale: Vec<String> = stale.iter().map(|path| format!("`{}`", path.display())).collect();
    Err(Failure::usage(
        format!("{} differ from the types in the source", stale.join(" and ")),
        "type `compt schema` and commit the result",
    ))
}

/// The names of the schema files, and their texts.
pub fn files() -> impl Iterator<Item = (&'static str, String)> {
    let operations: Vec<_> = ALL.iter().map(|operation| (operation.name(), operation.schema())).collect();
    let schemas = [
        ("pipeline.schema.json", crate::spec::schema(&operations)),
        ("dataset.schema.json", crate::task::dataset::schema().to_value()),
    ];
    schemas.into_iter().map(|(name, schema)| (name, format!("{schema:#}\n")))
}
