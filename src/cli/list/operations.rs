//! Operations and their parameters, from the schema of the types that read them.

use serde_json::{Value, json};

use super::Listed;
use crate::operation::{ALL, Operation};
use crate::report::terminal::aligned;

/// Every operation.
pub fn all() -> Listed {
    let facts = ALL.iter().map(|operation| json!({ "name": operation.name(), "about": operation.about() }));
    Listed { text: aligned(&rows(""), 2), json: facts.collect() }
}

/// Every operation, for the overview.
pub fn indented() -> String {
    aligned(&rows("  "), 2)
}

fn rows(indent: &str) -> Vec<Vec<String>> {
    let row = |operation: &&dyn Operation| vec![format!("{indent}{}", operation.name()), operation.about().to_owned()];
    ALL.iter().map(row).collect()
}

/// One operation with its parameters.
pub fn one(operation: &dyn Operation) -> Listed {
    let schema = operation.schema().to_value();
    let mut text = format!("{}: {}\n\n", operation.name(), operation.about());
    describe(&schema, &schema, 0, &mut text);
    Listed { text, json: json!({ "name": operation.name(), "about": operation.about(), "parameters": schema }) }
}

/// One line for each parameter: name, default, and the first sentence of its description; groups indented below.
fn describe(schema: &Value, root: &Value, depth: usize, text: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, parameter) in schema["properties"].as_object().into_iter().flatten() {
        let target = resolve(parameter, root);
        let group = target["properties"].is_object();
        let default = match &parameter["default"] {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null if group => String::new(),
            Value::Null => "optional".to_owned(),
            Value::Object(_) => String::new(),
            value => format!("default {value}"),
        };
        let about = parameter["description"].as_str().or(target["description"].as_str()).unwrap_or_default();
        let sentence = about.split(". ").next().unwrap_or_default().replace('\n', " ");
        text.push_str(&format!("{:indent$}{name:<20} {default:<18} {sentence}\n", "", indent = depth * 2));
        if group {
            describe(target, root, depth + 1, text);
        }
    }
}

/// Follows one reference inside the schema.
pub fn resolve<'a>(parameter: &'a Value, root: &'a Value) -> &'a Value {
    let options = parameter["anyOf"].as_array().into_iter().flatten();
    let reference = std::iter::once(parameter).chain(options).find_map(|option| option["$ref"].as_str());
    reference.and_then(|path| root.pointer(path.trim_start_matches('#'))).unwrap_or(parameter)
}
