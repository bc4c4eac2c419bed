//! `compt list`: the operations, and the parameters of one, from the types that read them.

use serde_json::Value;

use super::arguments::ListArguments;
use super::failure::Failure;
use crate::base::suggest;
use crate::operation::{ALL, Operation, Operations};

/// Prints every operation, or one with its parameters.
pub fn list(arguments: &ListArguments) -> Result<(), Failure> {
    let Some(name) = &arguments.operation else {
        let width = ALL.iter().map(|operation| operation.name().len()).max().unwrap_or(0);
        let line = |operation: &&dyn Operation| format!("{:width$}  {}\n", operation.name(), operation.about());
        super::print(&ALL.iter().map(line).collect::<String>());
        super::print("\n`compt list OPERATION` shows the parameters of one\n");
        return Ok(());
    };
    let Some(operation) = Operations::find(name) else {
        let names: Vec<&str> = ALL.iter().map(|operation| operation.name()).collect();
        let hint = match suggest::nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the operations are {}", names.join(", ")),
        };
        return Err(Failure::usage(format!("there is no operation `{name}`"), hint));
    };
    let schema = operation.schema().to_value();
    let mut text = format!("{}: {}\n\n", operation.name(), operation.about());
    describe(&schema, &schema, 0, &mut text);
    super::print(&text);
    Ok(())
}

/// One line for each parameter: name, type, default, and the first sentence of its description; groups indented below.
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
fn resolve<'a>(parameter: &'a Value, root: &'a Value) -> &'a Value {
    let options = parameter["anyOf"].as_array().into_iter().flatten();
    let reference = std::iter::once(parameter).chain(options).find_map(|option| option["$ref"].as_str());
    reference.and_then(|path| root.pointer(path.trim_start_matches('#'))).unwrap_or(parameter)
}
