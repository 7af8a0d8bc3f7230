//! JSON Schema draft 4, as far as ARM's schemas use it.
//!
//! Two things are not draft 4. A `$ref` to another file is always a template expression, which no request has: it never
//! matches. And `additionalProperties: false` stands beside `oneOf` branches that bring properties of their own, so it can
//! only mean "none that the whole, with its branches, does not know": what is unknown is looked for at the end.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

/// What is wrong, and where. Values are not quoted, since they may be secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: String,
    pub(super) what: String,
    /// The value is of another kind than this branch is for.
    another_kind: bool,
}

/// Which properties of an object are known so far.
#[derive(Debug, Default)]
struct Known {
    names: BTreeSet<String>,
    /// A schema says which properties there are.
    declared: bool,
    /// A schema takes any property.
    open: bool,
}

impl Known {
    fn merge(&mut self, other: Self) {
        self.names.extend(other.names);
        self.declared |= other.declared;
        self.open |= other.open;
    }
}

/// What is wrong with a value by a schema of this document.
pub(super) fn check(document: &Value, schema: &Value, value: &Value) -> Vec<Wrong> {
    let mut checker = Checker { document, found: Vec::new() };
    checker.whole(schema, value, "");
    checker.found
}

struct Checker<'a> {
    document: &'a Value,
    found: Vec<Wrong>,
}

impl<'a> Checker<'a> {
    fn wrong(&mut self, at: &str, what: impl Into<String>) {
        self.found.push(Wrong { at: at.to_owned(), what: what.into(), another_kind: false });
    }

    /// Checks a value with everything that is said of it, and then what nothing is said of.
    fn whole(&mut self, schema: &'a Value, value: &Value, at: &str) {
        let mut known = Known::default();
        self.apply(schema, value, at, &mut known);
        if known.open || !known.declared {
            return;
        }
        for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !known.names.contains(name) {
                self.wrong(&below(at, name), "is not known to the schema");
            }
        }
    }

    fn apply(&mut self, schema: &'a Value, value: &Value, at: &str, known: &mut Known) {
        if let Some(reference) = schema["$ref"].as_str() {
            match reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer)) {
                Some(schema) => self.apply(schema, value, at, known),
                None => self.wrong(at, "is no template expression"),
            }
            return;
        }
        if let Some(wanted) = schema["type"].as_str()
            && !is_of_type(value, wanted)
        {
            self.wrong(at, format!("is not of type {wanted}"));
            return;
        }
        self.scalar(schema, value, at);
        self.object(schema, value, at, known);
        for (place, item) in value.as_array().into_iter().flatten().enumerate() {
            if schema["items"].is_object() {
                self.whole(&schema["items"], item, &below(at, &place.to_string()));
            }
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.apply(part, value, at, known);
        }
        if let Some(branches) = schema["oneOf"].as_array() {
            self.one_of(branches, value, at, known);
        }
    }

    fn scalar(&mut self, schema: &Value, value: &Value, at: &str) {
        let another_kind = schema.get("const").is_some_and(|wanted| wanted != value);
        if another_kind {
            self.found.push(Wrong { at: at.to_owned(), what: format!("is not {}", schema["const"]), another_kind });
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            let few: Vec<String> = words.iter().take(12).map(Value::to_string).collect();
            self.wrong(at, format!("is none of {}", few.join(", ")));
        }
        if let (Some(number), Some(least)) = (value.as_f64(), schema["minimum"].as_f64())
            && number < least
        {
            self.wrong(at, format!("is less than {least}"));
        }
        let Some(text) = value.as_str() else { return };
        let length = text.chars().count() as u64;
        if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            self.wrong(at, "is too short");
        }
        if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
            self.wrong(at, "is too long");
        }
        // A pattern of another dialect than this one's (lookaround) is left alone.
        if let Some(pattern) = schema["pattern"].as_str()
            && Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
        {
            self.wrong(at, format!("does not match '{pattern}'"));
        }
    }

    fn object(&mut self, schema: &'a Value, value: &Value, at: &str, known: &mut Known) {
        let Some(fields) = value.as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.wrong(&below(at, name), "is required");
            }
        }
        let properties = schema["properties"].as_object();
        for (name, schema) in properties.into_iter().flatten() {
            known.declared = true;
            known.names.insert(name.clone());
            if let Some(field) = fields.get(name) {
                self.whole(schema, field, &below(at, name));
            }
        }
        let more = &schema["additionalProperties"];
        known.open |= more.is_object() || *more == Value::Bool(true);
        if more.is_object() {
            for (name, field) in fields {
                if !properties.is_some_and(|properties| properties.contains_key(name)) {
                    self.whole(more, field, &below(at, name));
                }
            }
        }
    }

    fn one_of(&mut self, branches: &'a [Value], value: &Value, at: &str, known: &mut Known) {
        let mut nearest: Option<(usize, usize, Vec<Wrong>, Known)> = None;
        let mut fitting = 0;
        for branch in branches {
            if branch["$ref"].as_str().is_some_and(|reference| !reference.starts_with('#')) {
                continue;
            }
            let mut inner = Checker { document: self.document, found: Vec::new() };
            let mut seen = Known::default();
            inner.apply(branch, value, at, &mut seen);
            fitting += usize::from(inner.found.is_empty());
            let other = inner.found.iter().filter(|wrong| wrong.another_kind).count();
            let far = (other, inner.found.len());
            if nearest.as_ref().is_none_or(|(kinds, count, ..)| far < (*kinds, *count)) {
                nearest = Some((far.0, far.1, inner.found, seen));
            }
        }
        if fitting > 1 {
            self.wrong(at, "matches more than one of the alternatives");
        }
        match nearest {
            Some((_, _, found, seen)) => {
                self.found.extend(found);
                known.merge(seen);
            }
            None => self.wrong(at, "is no template expression"),
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn is_of_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        let expression = json!({"$ref": "https://schema.example/common#/definitions/expression"});
        let kind = |name: &str, fields: Value| {
            json!({"allOf": [
                {"type": "object", "properties": fields},
                {"properties": {"type": {"const": name}}, "required": ["type"]}
            ]})
        };
        json!({"definitions": {
            "rule": {"allOf": [
                {"type": "object", "additionalProperties": false, "required": ["type"],
                    "properties": {"type": {"enum": ["A", "B"], "type": "string"}}},
                {"oneOf": [
                    kind("A", json!({"destination": {"type": "string"}})),
                    kind("B", json!({"destination": {"type": "object", "properties": {"port": {"type": "integer"}}}}))
                ]}
            ]},
            "flag": {"oneOf": [{"type": "boolean"}, expression]},
            "map": {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}
        }})
    }

    fn wrong(name: &str, value: &Value) -> Vec<String> {
        let document = document();
        check(&document, &json!({"$ref": format!("#/definitions/{name}")}), value)
            .into_iter()
            .map(|wrong| format!("{} {}", wrong.at, wrong.what))
            .collect()
    }

    #[test]
    fn a_branch_knows_the_properties_that_the_whole_closes() {
        assert!(wrong("rule", &json!({"type": "A", "destination": "x"})).is_empty());
        assert_eq!(wrong("rule", &json!({"type": "A", "to": "x"})), ["to is not known to the schema"]);
    }

    #[test]
    fn the_branch_that_the_word_chooses_tells_what_is_wrong() {
        assert_eq!(
            wrong("rule", &json!({"type": "B", "destination": {"port": "x"}})),
            ["destination.port is not of type integer"]
        );
        assert_eq!(wrong("rule", &json!({"type": "A", "destination": 1})), ["destination is not of type string"]);
    }

    #[test]
    fn a_template_expression_never_matches() {
        assert!(wrong("flag", &json!(true)).is_empty());
        assert_eq!(wrong("flag", &json!("[parameters('x')]")), [" is not of type boolean"]);
    }

    #[test]
    fn a_map_takes_any_name() {
        assert!(wrong("map", &json!({"a": "b"})).is_empty());
        assert_eq!(wrong("map", &json!({"a": 1})), ["a is not of type string"]);
    }
}
