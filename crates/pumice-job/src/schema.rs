//! The table of the language as a JSON Schema, for editors that know YAML but not us.
//!
//! It says what LAVA's strict schema says, and our extensions. Draft 2020-12
//! (<https://json-schema.org/draft/2020-12>).

use serde_json::{Map, Value as Json, json};

use crate::language::{self, ByKey, ByWord, Needed, Object, Origin, RunsOn, Shape, Unknown};

/// The JSON Schema of a job definition.
pub fn schema() -> Json {
    whole_schema(&language::JOB, "LAVA job definition, as Pumice reads it")
}

/// The JSON Schema of a test definition, in a file of its own or in a job.
pub fn test_definition_schema() -> Json {
    whole_schema(&language::INLINE, "LAVA test definition, as Pumice reads it")
}

fn whole_schema(object: &Object, title: &str) -> Json {
    let mut definitions = Definitions(Map::new());
    let mut root = definitions.object(object);
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!(title));
    root.insert("$defs".to_owned(), Json::Object(definitions.0));
    Json::Object(root)
}

/// The parts of a schema that are written once and referred to.
struct Definitions(Map<String, Json>);

fn timeout() -> Json {
    let count = json!({ "type": "integer", "minimum": 1 });
    let flag = |text: &str| json!({ "type": "boolean", "description": text });
    let units = ["days", "hours", "minutes", "seconds"];
    json!({
        "type": "object",
        "properties": {
            "days": count, "hours": count, "minutes": count, "seconds": count,
            "skip": flag("When a test block runs out of time, it fails and the job goes on."),
            "soft": flag("Running out of time is recorded, the block is given up, the job goes on. An extension."),
        },
        "additionalProperties": false,
        "oneOf": units.map(|unit| json!({ "required": [unit] })),
    })
}

impl Definitions {
    /// A mapping, by reference.
    fn reference(&mut self, object: &Object) -> Json {
        let made = Json::Object(self.object(object));
        let letters = object.name.chars().filter(|c| c.is_ascii_alphanumeric() || " -_".contains(*c));
        self.named(&letters.collect::<String>().replace(' ', "-"), made)
    }

    /// Keeps a part under a name, with a number where parts differ that have one name, and refers to it.
    fn named(&mut self, name: &str, made: Json) -> Json {
        let mut unique = name.to_owned();
        for number in 2.. {
            match self.0.get(&unique) {
                Some(known) if *known != made => unique = format!("{name}-{number}"),
                Some(_) => break,
                None => {
                    self.0.insert(unique.clone(), made);
                    break;
                }
            }
        }
        json!({ "$ref": format!("#/$defs/{unique}") })
    }

    fn object(&mut self, object: &Object) -> Map<String, Json> {
        let mut properties = Map::new();
        for field in object.fields() {
            let mut value = self.shape(field.shape);
            let doc = match field.origin {
                Origin::Extension => format!("{} An extension of Pumice.", field.doc),
                _ => field.doc.to_owned(),
            };
            value.insert("description".to_owned(), json!(doc));
            let value = self.named(&format!("key-{}", field.key), Json::Object(value));
            properties.insert(field.key.to_owned(), value);
        }
        let needed = object.fields().filter(|field| field.needed != Needed::No);
        let required: Vec<_> = needed.map(|field| field.key).collect();
        let mut made = Map::new();
        made.insert("type".to_owned(), json!("object"));
        made.insert("properties".to_owned(), Json::Object(properties));
        if !required.is_empty() {
            made.insert("required".to_owned(), json!(required));
        }
        let others = match object.unknown {
            Unknown::Refused | Unknown::Warned => json!(false),
            Unknown::Free => json!(true),
            Unknown::Each(each) => Json::Object(self.shape(*each)),
        };
        made.insert("additionalProperties".to_owned(), others);
        made
    }

    fn shape(&mut self, shape: Shape) -> Map<String, Json> {
        let made = match shape {
            Shape::Anything => json!({}),
            Shape::Text | Shape::Method(_) => json!({ "type": "string" }),
            Shape::TextUpTo(usize::MAX) => json!({ "type": "string", "minLength": 1 }),
            Shape::TextUpTo(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
            Shape::Identifier => json!({ "type": "string", "pattern": "^[-_a-zA-Z0-9.]+$" }),
            Shape::ContainerImage => json!({ "type": "string", "pattern": "^[^\\s]+$" }),
            Shape::Whole(least, most) => whole(least, most),
            Shape::Seconds => json!({ "type": "number", "minimum": 0 }),
            Shape::Boolean => json!({ "type": "boolean" }),
            Shape::Word(words) => json!({ "enum": words.iter().map(|word| word.word).collect::<Vec<_>>() }),
            Shape::Nullable(inner) => json!({ "anyOf": [{ "type": "null" }, self.shape(*inner)] }),
            Shape::Timeout => self.named("timeout", timeout()),
            Shape::NamedTimeouts => json!({
                "type": "object",
                "propertyNames": { "pattern": "^[a-z-]+$" },
                "additionalProperties": self.named("timeout", timeout()),
            }),
            Shape::List(inner) => json!({ "type": "array", "items": self.shape(*inner) }),
            Shape::OneOrMore(inner) => {
                let one = self.shape(*inner);
                json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] })
            }
            Shape::Mapping(inner) => json!({ "type": "object", "additionalProperties": self.shape(*inner) }),
            Shape::Known(words, inner) => {
                let value = self.shape(*inner);
                let properties: Map<String, Json> =
                    words.iter().map(|word| (word.word.to_owned(), described(&value, word.doc))).collect();
                json!({ "type": "object", "properties": properties, "additionalProperties": false })
            }
            Shape::Object(inner) => self.reference(inner),
            Shape::ByWord(by) => self.by_word(by),
            Shape::ByKey(by) => self.by_key(by),
            Shape::Either(shapes) => {
                json!({ "anyOf": shapes.iter().map(|shape| self.shape(*shape)).collect::<Vec<_>>() })
            }
        };
        match made {
            Json::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// The words that make sense on a virtual platform, and for each what else may stand beside it.
    fn by_word(&mut self, by: &ByWord) -> Json {
        let here: Vec<_> = by.methods.iter().filter(|method| method.runs_on == RunsOn::Virtual).collect();
        let words: Vec<_> = here.iter().map(|method| method.word).collect();
        let case = |method: &&language::Method| {
            json!({
                "if": { "properties": { by.key: { "const": method.word } }, "required": [by.key] },
                "then": self.reference(&method.object),
            })
        };
        let cases: Vec<_> = here.iter().map(case).collect();
        json!({ "type": "object", "properties": { by.key: { "enum": words } }, "required": [by.key], "allOf": cases })
    }

    fn by_key(&mut self, by: &ByKey) -> Json {
        let case = |(key, variant): &(&str, Object)| json!({ "allOf": [self.reference(variant), { "required": [key] }] });
        let mut cases: Vec<_> = by.variants.iter().map(case).collect();
        cases.extend(by.otherwise.map(|otherwise| self.reference(otherwise)));
        json!({ "type": "object", "anyOf": cases })
    }
}

fn described(value: &Map<String, Json>, doc: &str) -> Json {
    let mut value = value.clone();
    value.insert("description".to_owned(), json!(doc));
    Json::Object(value)
}

fn whole(least: i64, most: i64) -> Json {
    let mut made = Map::new();
    made.insert("type".to_owned(), json!("integer"));
    if least != i64::MIN {
        made.insert("minimum".to_owned(), json!(least));
    }
    if most != i64::MAX {
        made.insert("maximum".to_owned(), json!(most));
    }
    Json::Object(made)
}
