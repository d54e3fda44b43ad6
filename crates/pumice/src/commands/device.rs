//! `pumice device`: what a job would meet.

use pumice_types::{Code, Diagnostic, Diagnostics, Sources};
use pumice_yaml::{Entry, Map};
use serde_json::json;

use super::check::report;
use crate::{
    cli::{DeviceArgs, DeviceCheckArgs, DeviceCommand, DeviceListArgs, DeviceRenderArgs, Format},
    diagnostics,
    exit::Exit,
    input::Input,
    library::Library,
    terminal::print,
};

/// A `--context` that is not `KEY=VALUE`.
const CONTEXT: Code = Code("context-argument");

pub(crate) fn main(command: &DeviceCommand) -> Exit {
    match command {
        DeviceCommand::Render(args) => render(args),
        DeviceCommand::Check(args) => check(args),
        DeviceCommand::List(args) => list(args),
    }
}

fn render(args: &DeviceRenderArgs) -> Exit {
    let Some(context) = context(&args.context) else { return Exit::BadDefinition };
    let (input, device) = Input::read_device(&args.device, &context);
    diagnostics::show(&input.diagnostics, &input.sources);
    let Some(device) = device else { return Exit::BadDefinition };
    let device = device.node.to_json();
    // JSON is YAML too, and YAML is what people read: the text that the templates gave, when there is one.
    let rendered = (0..).map_while(|id| input.sources.get(pumice_types::SourceId(id))).last();
    match (args.format, rendered) {
        (Format::Text, Some(source)) => print(source.text.trim()),
        _ => print(&format!("{device:#}")),
    }
    if input.diagnostics.has_errors() { Exit::BadDefinition } else { Exit::Success }
}

fn check(args: &DeviceCheckArgs) -> Exit {
    let Some(context) = context(&args.context) else { return Exit::BadDefinition };
    let all = |device, device_type| DeviceArgs {
        device,
        device_type,
        device_types: args.device_types.clone(),
        ..DeviceArgs::default()
    };
    let files = args.devices.iter().map(|path| (path.display().to_string(), all(Some(path.clone()), None)));
    let mut wanted: Vec<_> = files.collect();
    if wanted.is_empty() {
        let library = Library { directories: args.device_types.clone() };
        wanted = library.names().into_keys().map(|name| (name.clone(), all(None, Some(name)))).collect();
    }
    let checked = wanted.into_iter().map(|(name, args)| (name, Input::read_device(&args, &context).0));
    report(&checked.collect::<Vec<_>>(), args.format, "devices")
}

fn list(args: &DeviceListArgs) -> Exit {
    let names = Library { directories: args.device_types.clone() }.names();
    if args.format == Format::Json {
        let types: Vec<_> = names.iter().map(|(name, from)| json!({ "name": name, "from": from })).collect();
        print(&json!({ "version": 1, "device_types": types }).to_string());
    } else {
        for (name, from) in names {
            print(&format!("{name:<24} {from}"));
        }
    }
    Exit::Success
}

/// The context that the command line gives; `None` when it cannot be read, which was said then.
fn context(arguments: &[String]) -> Option<Map> {
    let mut map = Map::default();
    let mut sources = Sources::default();
    let mut found = Diagnostics::new();
    for argument in arguments {
        let source = sources.add("--context", argument.clone());
        let Some((key, value)) = argument.split_once('=') else {
            let message = format!("`{argument}` is not KEY=VALUE");
            found.push(Diagnostic::error(CONTEXT, None, message));
            continue;
        };
        // Blanks in place of the key keep the places right.
        let text = format!("{}{value}", " ".repeat(key.len() + 1));
        let (node, mistakes) = pumice_yaml::parse(&text, source);
        found.extend(mistakes);
        let key_span = pumice_types::Span::new(source, 0, key.len());
        map.0.push(Entry { key: key.to_owned(), key_span, value: node.unwrap_or_default() });
    }
    diagnostics::show(&found, &sources);
    (!found.has_errors()).then_some(map)
}
