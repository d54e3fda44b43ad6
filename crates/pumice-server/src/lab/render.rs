//! From a device's dictionary to the YAML that a worker gets.

use std::collections::HashMap;

use pumice_db::{Device, Reader};
use pumice_device::{DeviceTypes, RenderRequest, plain_dictionary};
use pumice_types::{Name, SourceId};
use pumice_yaml::{Map, Value};

use super::library;
use crate::{app::Shared, refusal::Refusal, yaml};

/// Renders a device for a job's context; `None` when it has no dictionary, or one that does not render.
pub(crate) async fn device(
    shared: &Shared,
    reader: &mut Reader,
    device: &Device,
    context: &Map,
) -> Result<Result<String, String>, Refusal> {
    let dictionary = match reader.dictionary(&device.hostname).await? {
        Some(text) => text,
        // A device that its worker offered is nothing but its type.
        None if device.is_offered => match device.device_type.parse::<Name>() {
            Ok(name) => plain_dictionary(&name),
            Err(error) => return Ok(Err(error.to_string())),
        },
        None => return Ok(Err("it has no dictionary".to_owned())),
    };
    let own: HashMap<String, String> = reader.device_type_templates().await?.into_iter().collect();
    let directories = shared.config.library.clone();
    let (hostname, kind, context) = (device.hostname.clone(), device.device_type.clone(), context.clone());
    // A template is a program: it runs where a slow one harms nobody.
    let rendered = tokio::task::spawn_blocking(move || {
        let types = DeviceTypes::new(move |file| {
            let name = file.strip_suffix(".jinja2").unwrap_or(file);
            own.get(name).cloned().or_else(|| library::template(&directories, name))
        });
        let source = format!("{hostname}.jinja2");
        let request = RenderRequest {
            source: &source,
            dictionary: &dictionary,
            device: &hostname,
            device_type: &kind,
            context: &context,
        };
        types.render(&request).map(|rendered| rendered.text).map_err(|error| error.to_string())
    })
    .await
    .map_err(|error| Refusal::Internal(error.to_string()))?;
    Ok(rendered.and_then(|text| match pumice_yaml::parse(&text, SourceId::default()) {
        // Written again in one style, without the templates' comments and blank lines.
        (Some(node), found) if !found.has_errors() && node.as_map().is_some() => Ok(yaml::dump_node(&node)),
        _ => Err("it does not render to a mapping".to_owned()),
    }))
}

/// A job's context from a YAML text; `None` when it is not a mapping.
pub(crate) fn context(text: &str) -> Option<Map> {
    if text.trim().is_empty() {
        return Some(Map::default());
    }
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId::default());
    match node.filter(|_| !diagnostics.has_errors())?.value {
        Value::Map(map) => Some(map),
        Value::Null => Some(Map::default()),
        _ => None,
    }
}
