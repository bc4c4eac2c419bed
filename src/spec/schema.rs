//! The JSON Schema of pipeline files, for editors: generated from the types that read them.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::raw::{Names, RawPipeline, Values};

/// The name of the definition that stands for `${name}`.
const TEMPLATE: &str = "Template";

/// The schema of a pipeline whose stages may use `operations`: their names with the schemas of their parameters.
///
/// Every operation takes `from` and `only` besides its own parameters, and wherever a parameter is not a plain text,
/// a `${name}` may stand in its place.
pub fn schema(operations: &[(&str, schemars::Schema)]) -> Value {
    let mut generator = SchemaSettings::default().for_deserialize().into_generator();
    let from = generator.subschema_for::<Names>().to_value();
    let mut only = generator.subschema_for::<BTreeMap<String, Values>>().to_value();
    describe(&mut only, "Which values of an axis are read; an axis that is not named is read whole.");
    let mut root = generator.into_root_schema_for::<RawPipeline>().to_value();
    let mut definitions = take_map(&mut root, "$defs");
    let mut runs = Map::new();
    for (name, schema) in operations {
        let mut schema = schema.clone().to_value();
        for (definition, mut value) in take_map(&mut schema, "$defs") {
            rename_references(&mut value, name);
            definitions.insert(format!("{name}.{definition}"), place(value));
        }
        rename_references(&mut schema, name);
        descend(&mut schema);
        if let Some(map) = schema.as_object_mut() {
            map.remove("$schema");
            map.remove("title");
            let properties = map.entry("properties").or_insert_with(|| json!({}));
            properties["from"] = from.clone();
            properties["only"] = only.clone();
        }
        runs.insert((*name).to_owned(), schema);
    }
    definitions.insert(
        TEMPLATE.to_owned(),
        json!({
            "description": "A parameter of the pipeline or an axis of the stage: `${name}`.",
            "type": "string",
            "pattern": "^\\$\\{[a-z0-9_]+\\}$",
        }),
    );
    if let Some(run) = definitions.get_mut("Stage").and_then(|stage| stage.pointer_mut("/properties/run")) {
        *run = json!({
            "description": "The operation: a map with one entry, whose value is the operation's parameters.",
            "type": "object",
            "properties": runs,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        });
    }
    for field in ["params", "profiles", "axes", "stages"] {
        root["properties"][field]["propertyNames"] = json!({ "pattern": "^[a-z0-9_]+$" });
    }
    root["$defs"] = Value::Object(definitions);
    sorted(root)
}

/// Keys in one order whatever order the maps of this build keep, so that the committed file does not move.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        scalar => scalar,
    }
}

fn take_map(schema: &mut Value, key: &str) -> Map<String, Value> {
    match schema.as_object_mut().and_then(|map| map.remove(key)) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn describe(schema: &mut Value, text: &str) {
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), text.into());
    }
}

/// Points references into the definitions of one operation.
fn rename_references(schema: &mut Value, operation: &str) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/$defs/{operation}.{name}");
            }
            map.values_mut().for_each(|value| rename_references(value, operation));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, operation)),
        _ => {}
    }
}

/// The schema of a place where a value stands: the same, or a `${name}`.
fn place(mut schema: Value) -> Value {
    descend(&mut schema);
    if !wants_template(&schema) {
        return schema;
    }
    let mut outer = Map::new();
    if let Some(map) = schema.as_object_mut() {
        for key in ["description", "default", "title"] {
            outer.extend(map.remove(key).map(|value| (key.to_owned(), value)));
        }
    }
    outer.insert("anyOf".to_owned(), json!([schema, { "$ref": format!("#/$defs/{TEMPLATE}") }]));
    Value::Object(outer)
}

/// Visits the places below a schema.
fn descend(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(replace);
    }
    for key in ["items", "additionalProperties"] {
        map.get_mut(key).filter(|value| value.is_object()).into_iter().for_each(replace);
    }
    if let Some(Value::Array(items)) = map.get_mut("prefixItems") {
        items.iter_mut().for_each(replace);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        // Alternatives are one place: the template joins the alternatives as a whole.
        map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(descend);
    }
}

fn replace(schema: &mut Value) {
    *schema = place(schema.take());
}

/// Whether a `${name}` would not be accepted as it is, and can be the value: everything but texts and maps.
fn wants_template(schema: &Value) -> bool {
    let alternatives = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    if schema.get("const").is_some() || schema.get("enum").is_some() || schema.get("pattern").is_some() {
        return true;
    }
    let is_scalar = |name: &Value| matches!(name.as_str(), Some("integer" | "number" | "boolean" | "array"));
    let accepts_text = |name: &Value| name.as_str() == Some("string");
    let types: Vec<&Value> = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    types.iter().any(|name| is_scalar(name)) && !types.iter().any(|name| accepts_text(name))
        || ["anyOf", "oneOf"].iter().any(|key| alternatives(key).any(wants_template))
}

#[cfg(test)]
mod tests {
    use super::schema;
    use schemars::{JsonSchema, schema_for};
    use serde_json::{Value, json};

    #[derive(JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Train {
        /// How many passes.
        epochs: u32,
        kind: Kind,
        gate: Option<Gate>,
        #[serde(default)]
        rate: Option<f64>,
        backbone: String,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[allow(dead_code)]
    enum Kind {
        /// One.
        Mlp,
        /// Two.
        Lstm,
    }

    #[derive(JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Gate {
        fixed: bool,
    }

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn each_operation_is_one_property_of_run() {
        let schema = schema(&[("train", schema_for!(Train)), ("fetch", schemars::json_schema!({ "type": "object" }))]);
        let run = &schema["$defs"]["Stage"]["properties"]["run"];
        let names: Vec<_> = run["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["fetch", "train"]);
        assert_eq!((&run["minProperties"], &run["maxProperties"]), (&json!(1), &json!(1)));
        let train = &run["properties"]["train"]["properties"];
        assert_eq!(train["from"]["$ref"], "#/$defs/StageNames");
        assert_eq!(train["epochs"]["anyOf"][1]["$ref"], "#/$defs/Template");
        assert_eq!(train["epochs"]["description"], "How many passes.");
        assert_eq!(train["rate"]["anyOf"][1]["$ref"], "#/$defs/Template");
        assert_eq!(train["backbone"]["type"], "string");
        assert_eq!(schema["$defs"]["train.Kind"]["anyOf"][1]["$ref"], "#/$defs/Template");
        assert_eq!(schema["$defs"]["train.Gate"]["properties"]["fixed"]["anyOf"][0]["type"], "boolean");
        let mut found = Vec::new();
        references(&schema, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(schema.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
}
