//! Device types and dictionaries: Jinja2 templates that render to a device's YAML (lava-compat 2.1 to 2.3).
//!
//! A device dictionary is a template that extends a device type and sets variables; the job's `context` gives
//! others. What a template sets wins over the context, because it hides it: that is how an operator locks a
//! value, and `default()` how a device type leaves one open (lava-compat 1.4).

mod context;
mod error;
mod extends;
mod filters;

use std::collections::BTreeSet;

use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Serde, Value},
};
use minijinja_contrib::pycompat::unknown_method_callback;
use pumice_types::{Code, Diagnostic, Diagnostics, Name, Sources};
use pumice_yaml::{Entry, Map};

use self::context::TrackedContext;
pub use self::{
    error::RenderError,
    extends::{ExtendsError, base_template},
};
use crate::Device;

/// A context key that changed nothing.
const UNREAD_CONTEXT: Code = Code("unread-context");
/// The rendered text is not a device.
const NOT_A_DEVICE: Code = Code("not-a-device");

/// Instructions one rendering may take: a hundred times what the largest known device type takes.
const FUEL: u64 = 2_000_000;

/// Templates inside one another: `extends`, `include`, macros.
const DEPTH: usize = 64;

/// The device types there are, found by a function: this crate reads no files.
pub struct DeviceTypes {
    environment: Environment<'static>,
}

/// What is to be rendered.
#[derive(Clone, Copy, Debug)]
pub struct RenderRequest<'a> {
    /// What messages call the dictionary: a path, or the device's name.
    pub source: &'a str,
    /// The dictionary's text.
    pub dictionary: &'a str,
    /// The device's name, `scheduled_device_name` in templates.
    pub device: &'a str,
    /// The device type's name, `scheduled_device_type` in templates.
    pub device_type: &'a str,
    /// The job's `context`.
    pub context: &'a Map,
}

/// A rendered dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// YAML.
    pub text: String,
    /// The keys of the context that some template looked at. One that is hidden by a `set` is not looked at.
    pub read: BTreeSet<String>,
}

/// The dictionary of a device that is nothing but its type.
pub fn plain_dictionary(device_type: &Name) -> String {
    format!("{{% extends '{device_type}.jinja2' %}}\n")
}

impl DeviceTypes {
    /// The device types that `load` finds: from a template's file name, such as `qemu.jinja2`, to its text. It
    /// is asked only for names that are safe as one component of a path.
    pub fn new(load: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).build();
        environment.set_syntax(syntax.expect("only the whitespace rule differs from the default"));
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH);
        environment.set_debug(true);
        environment
            .set_loader(move |name| Ok(name.parse::<Name>().ok().and_then(|name| load(name.as_str()))));
        filters::add_to(&mut environment);
        Self { environment }
    }

    /// Renders a dictionary.
    ///
    /// # Errors
    /// A template that is not there, is not Jinja2, or fails while it is rendered.
    pub fn render(&self, request: &RenderRequest<'_>) -> Result<Rendered, RenderError> {
        let own = [("scheduled_device_name", request.device), ("scheduled_device_type", request.device_type)];
        let values =
            request.context.iter().map(|entry| (entry.key.clone(), Value::from(Serde(&entry.value))));
        let own = own.map(|(key, text)| (key.to_owned(), Value::from(text)));
        let context = TrackedContext::new(values.chain(own).collect());
        let rendered = self
            .environment
            .template_from_named_str(request.source, request.dictionary)
            .and_then(|template| template.render(context.value()));
        match rendered {
            Ok(text) => Ok(Rendered { text, read: context.read() }),
            Err(error) => Err(RenderError::new(request.source, &error)),
        }
    }

    /// Renders a dictionary and reads the device. The rendered text becomes one of `sources`, so that a
    /// mistake can be shown where it stands; a key of the context that changed nothing is a warning.
    ///
    /// # Errors
    /// As [`DeviceTypes::render`].
    pub fn device(
        &self,
        request: &RenderRequest<'_>,
        sources: &mut Sources,
    ) -> Result<(Device, Diagnostics), RenderError> {
        let rendered = self.render(request)?;
        let source = sources.add(format!("{} (rendered)", request.source), rendered.text.clone());
        let (node, mut diagnostics) = pumice_yaml::parse(&rendered.text, source);
        let mut device = Device::default();
        if let Some(node) = node {
            let (read, mistakes) = Device::read(&node);
            device = read;
            diagnostics.extend(mistakes);
        } else if !diagnostics.has_errors() {
            let message = format!("{} renders to nothing", request.source);
            diagnostics.push(Diagnostic::error(NOT_A_DEVICE, None, message));
        }
        diagnostics.extend(unread(request.context, &rendered.read));
        Ok((device, diagnostics))
    }
}

/// A warning for each key of the context that no template looked at. What asks to do without something is granted
/// wherever nobody looks.
fn unread(context: &Map, read: &BTreeSet<String>) -> impl Iterator<Item = Diagnostic> {
    let is_unread = |entry: &&Entry| !read.contains(&entry.key) && entry.key != "no_kvm";
    context.iter().filter(is_unread).map(|entry| {
        let message =
            format!("the device's templates do not read `context.{}`, so it changes nothing", entry.key);
        Diagnostic::warning(UNREAD_CONTEXT, entry.key_span, message)
    })
}

/// Whether the error says that a template is not there.
fn is_missing(error: &minijinja::Error) -> bool {
    error.kind() == ErrorKind::TemplateNotFound
}

#[cfg(test)]
mod tests;
