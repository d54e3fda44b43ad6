//! Reads a job and its device from files, with every mistake in them.

use std::{fs, path::Path};

use pumice_device::{Device, RenderError, RenderRequest, plain_dictionary};
use pumice_job::{Action, DynamicConnection, Job, MultinodeNode, RoleKind, Rules};
use pumice_multinode::Member;
use pumice_plan::{MachinePlanner, Plan, PlanOptions, plan};
use pumice_platform::Platform;
use pumice_types::{
    Blame as _, Code, Diagnostic, Diagnostics, JobId, Name, SourceId, Sources, Span, Spanned,
};
use pumice_yaml::{Map, Node};

use crate::{
    cli::DeviceArgs, config::Config, kind::Kind, library::Library, models, once, provenance, upload,
};

/// The file cannot be read.
const UNREADABLE: Code = Code("unreadable-file");
/// The device cannot be rendered.
const NOT_RENDERED: Code = Code("device-not-rendered");
/// A model that the library has not.
const UNKNOWN_MODEL: Code = Code("unknown-model");
/// Neither the command line nor the job says which device.
const NO_DEVICE: Code = Code("no-device");

/// What the language knows and nothing here does.
const UNSUPPORTED: Code = Code("not-supported");

/// What `pumice-job` says of a job that names no device type.
const NO_DEVICE_TYPE: Code = Code("device-type");

/// A job, its device, and what would be done. The default is what there is before anything was read.
#[derive(Default)]
pub(crate) struct Input {
    /// Every text that was read.
    pub(crate) sources: Sources,
    /// Every mistake.
    pub(crate) diagnostics: Diagnostics,
    /// The job, when its text is a mapping at all.
    pub(crate) job: Option<Job>,
    /// The plan, when there is no error.
    pub(crate) plan: Option<Plan>,
    /// The nodes of a MultiNode job, when there is no error; it has no plan as a whole.
    pub(crate) nodes: Vec<NodeInput>,
}

/// One node of a MultiNode job.
pub(crate) struct NodeInput {
    /// The part of the job that is for it.
    pub(crate) job: Job,
    /// What would be done.
    pub(crate) plan: Plan,
    /// Which node it is.
    pub(crate) member: Member,
}

impl Input {
    /// Reads `job` for the device that `args` name.
    pub(crate) fn read(
        job: &Path,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let mut input = Self::default();
        match input.text(job) {
            Some(text) => Self::of_text(&job.display().to_string(), &text, args, job_id, platforms),
            None => input,
        }
    }

    /// Reads a job that a server gave to a worker, for the device that came with it: one node of a MultiNode job says so
    /// itself.
    pub(crate) fn read_assigned(
        job: &Path,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let mut unread = Self::default();
        let Some(text) = unread.text(job) else { return unread };
        let rules = Rules { is_assigned: true, ..Rules::default() };
        Self::of_text_by(|_| rules, &job.display().to_string(), &text, args, job_id, platforms)
    }

    /// Refuses a node of a MultiNode job where nobody passes on what it says: it would wait for the others for ever.
    pub(crate) fn refuse_node(&mut self) {
        let Some(node) = self.job.as_ref().and_then(|job| job.node.as_ref()) else { return };
        let message = format!(
            "this job is node `{}` of a MultiNode job, and nothing here leads to the others",
            node.role
        );
        let help = "submit it to a lab of pumice, or run the whole job with `pumice run`; LAVA's coordinator is not spoken";
        self.diagnostics.push(Diagnostic::error(UNSUPPORTED, None, message).help(help));
        self.plan = None;
    }

    /// Reads `path` as what it is: a job, a test definition, or a device.
    pub(crate) fn read_any(
        path: &Path,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let mut unread = Self::default();
        let Some(text) = unread.text(path) else { return unread };
        let name = path.display().to_string();
        if is_dictionary(path) {
            return Self::of_device(path, &text, args);
        }
        let input = Self::of_text(&name, &text, args, job_id, platforms);
        // What has actions is a job, whatever is wrong with it; the tree is only asked where there are none.
        if input.job.as_ref().is_some_and(|job| !job.actions.is_empty()) {
            return input;
        }
        let (tree, _) = pumice_yaml::parse(&text, SourceId(0));
        match Kind::of(&tree.unwrap_or_default()) {
            Kind::Job => input,
            Kind::TestDefinition => Self::of_test_definition(&name, &text),
            Kind::Device => Self::of_device(path, &text, args),
        }
    }

    /// A test definition in a file of its own.
    pub(crate) fn of_test_definition(name: &str, text: &str) -> Self {
        let mut sources = Sources::default();
        let source = sources.add(name, text);
        let (tree, mut diagnostics) = pumice_yaml::parse_within(text, source, pumice_job::LIMITS);
        if let Some(tree) = tree {
            diagnostics.extend(pumice_guest::definition::parse(&tree).1);
        }
        Self { sources, diagnostics: diagnostics.sorted(), ..Self::default() }
    }

    /// A device: a dictionary when its name says so, else a rendered one.
    pub(crate) fn of_device(path: &Path, text: &str, args: &DeviceArgs) -> Self {
        let mut input = Self::default();
        input.device_of_text(path, text, "", &Map::default(), args);
        input.diagnostics = std::mem::take(&mut input.diagnostics).sorted();
        input
    }

    /// The same of a job's text; `name` is what messages call it, the path of its file where it has one.
    pub(crate) fn of_text(
        name: &str,
        text: &str,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let directory = Path::new(name).parent().unwrap_or(Path::new(""));
        let rules = |job: &Node| Rules { files: upload::files_beside(job, directory), ..Rules::default() };
        Self::of_text_by(rules, name, text, args, job_id, platforms)
    }

    fn of_text_by(
        rules: impl FnOnce(&Node) -> Rules,
        name: &str,
        text: &str,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let mut input = Self::default();
        let source = input.sources.add(name, text);
        let (job, found) = pumice_job::parse_with(text, source, rules);
        let Some(job) = job else {
            input.diagnostics = once::together(found, Diagnostics::new(), &input.sources);
            return input;
        };
        // What a lab accepts and cannot run is refused here: nothing else stands between it and a machine.
        // Who names the device on the command line does not need to be told that the job names none.
        let names_device = args.device.is_some() || args.device_type.is_some();
        let found = pumice_job::for_planning(&job, found).into_iter();
        input.diagnostics.extend(found.filter(|one| !(names_device && one.code == NO_DEVICE_TYPE)));
        let told = std::mem::take(&mut input.diagnostics);
        let mut plan = None;
        if job.multinode.is_some() {
            input.plan_nodes(&job, args, job_id, platforms);
        } else {
            plan = input.plan_one(&job, args, job_id, platforms);
        }
        input.diagnostics.extend(pumice_run::check_patterns(&job));
        let found = std::mem::take(&mut input.diagnostics);
        input.diagnostics = once::together(told, found, &input.sources);
        let has_errors = input.diagnostics.has_errors();
        input.plan = plan.filter(|_| !has_errors);
        input.nodes.retain(|_| !has_errors);
        input.job = Some(job);
        input
    }

    /// Plans each node of a MultiNode job. Their jobs have numbers one after the other.
    fn plan_nodes(
        &mut self,
        job: &Job,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) {
        let mut nodes = Vec::new();
        for (index, part) in (0_i64..).zip(pumice_job::split(job)) {
            let Some(node) = &part.node else { continue };
            let id = JobId(job_id.0.saturating_add(index));
            let member = Member { id: id.to_string(), name: node.name.clone(), role: node.role.clone() };
            let before = std::mem::take(&mut self.diagnostics);
            let device = match &node.connection {
                Some(connection) => self.device_of_connection(job, node, connection, args),
                None => self.device(part.device_type.as_ref(), &part.context, Some(&node.role), args),
            };
            let plan = device.and_then(|device| self.plan_on(&part, &device, args, id, platforms));
            let found = std::mem::replace(&mut self.diagnostics, before);
            found.into_iter().for_each(|one| self.note(one));
            nodes.extend(plan.map(|plan| NodeInput { job: part, plan, member }));
        }
        if !self.diagnostics.has_errors() {
            self.nodes = nodes;
        }
    }

    /// The device of a role that is a connection: its own where the command line gives it one, else that of the role
    /// whose machine it is, of which it sees the way over SSH.
    fn device_of_connection(
        &mut self,
        job: &Job,
        node: &MultinodeNode,
        connection: &DynamicConnection,
        args: &DeviceArgs,
    ) -> Option<Device> {
        if args.role_device.iter().any(|(role, _)| *role == node.role) {
            return self.device(None, &Map::default(), Some(&node.role), args);
        }
        // A role that is not there was told with the rest of the job.
        let roles = job.multinode.iter().flat_map(|multinode| &multinode.roles);
        let host = roles.into_iter().find(|role| role.name.value == connection.host_role.value)?;
        let RoleKind::Device { device_type, .. } = &host.kind else {
            let message = format!("role `{}` is itself a connection, and has no machine", host.name.value);
            self.note(
                Diagnostic::error(NO_DEVICE, connection.host_role.span, message)
                    .help("`host_role` names a role with a `device_type`"),
            );
            return None;
        };
        let device = self.device(Some(device_type), &host.context, Some(&host.name.value), args)?;
        Some(device.reached_over_ssh())
    }

    /// Says it once: nodes share most of their text.
    fn note(&mut self, one: Diagnostic) {
        if !self.diagnostics.iter().any(|other| *other == one) {
            self.diagnostics.push(one);
        }
    }

    fn plan_one(
        &mut self,
        job: &Job,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Option<Plan> {
        let mut device = self.device(job.device_type.as_ref(), &job.context, None, args)?;
        // In a lab such a node is given the device of its host role.
        if job.node.as_ref().is_some_and(|node| node.connection.is_some()) {
            device = device.reached_over_ssh();
        }
        self.plan_on(job, &device, args, job_id, platforms)
    }

    fn plan_on(
        &mut self,
        job: &Job,
        device: &Device,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Option<Plan> {
        let planners: Vec<&dyn MachinePlanner> =
            platforms.iter().map(|platform| &**platform as &dyn MachinePlanner).collect();
        let options = self.options(job, device, job_id, args);
        let (planned, found) = plan(job, device, &planners, &options);
        self.diagnostics.extend(found);
        planned
    }

    /// Reads nothing but the device that `args` name, as `context` sets it.
    pub(crate) fn read_device(args: &DeviceArgs, context: &Map) -> (Self, Option<Device>) {
        let mut input = Self::default();
        let device = input.device(None, context, None, args);
        input.diagnostics = std::mem::take(&mut input.diagnostics).sorted();
        (input, device)
    }

    /// With the models that job and device name, looked up in the library.
    fn options(&mut self, job: &Job, device: &Device, job_id: JobId, args: &DeviceArgs) -> PlanOptions {
        let mut options = PlanOptions { job_id, ..PlanOptions::default() };
        let named = job.actions.iter().filter_map(|action| match action {
            Action::Boot(boot) => boot.model.as_ref(),
            _ => None,
        });
        let named: Vec<_> = named.chain(&device.model).collect();
        if named.is_empty() {
            return options;
        }
        let mut directories = args.models.clone();
        match Config::read(args.config.as_deref()) {
            Ok(config) => directories.splice(0..0, config.models).for_each(drop),
            Err(failure) => self.diagnostics.push(Diagnostic::error(UNREADABLE, None, failure.message)),
        }
        let (library, found) = models::read(&directories, &mut self.sources);
        self.diagnostics.extend(found);
        for name in named {
            match library.get(&name.value) {
                Ok(model) => {
                    options.models.insert(name.value.clone(), model.node.clone());
                }
                Err(unknown) => {
                    let message = format!("there is no model `{}`", unknown.name);
                    self.diagnostics.push(
                        Diagnostic::error(UNKNOWN_MODEL, name.span, message)
                            .help("`pumice model list` shows all there are")
                            .suggest(unknown.nearest),
                    );
                }
            }
        }
        let own = device.model.as_ref().and_then(|name| options.models.get(&name.value));
        options.model = own.cloned().unwrap_or_default();
        options
    }

    fn text(&mut self, path: &Path) -> Option<String> {
        let message = match fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => return Some(text),
            Ok(Err(error)) => format!("cannot read `{}`: {}", path.display(), not_text(&error)),
            Err(error) => format!("cannot read `{}`: {error}", path.display()),
        };
        self.diagnostics.push(Diagnostic::error(UNREADABLE, None, message));
        None
    }

    /// The device: a rendered one, a dictionary, or nothing but a type.
    ///
    /// `device_type` is the one the job names, `role` that of a node of a MultiNode job.
    fn device(
        &mut self,
        device_type: Option<&Spanned<String>>,
        context: &Map,
        role: Option<&str>,
        args: &DeviceArgs,
    ) -> Option<Device> {
        if let Some(path) = args.file_for(role) {
            let text = self.text(path)?;
            let device_type = device_type.map_or("", |name| name.value.as_str());
            return self.device_of_text(path, &text, device_type, context, args);
        }
        let named = args.device_type.clone().or_else(|| device_type.map(|name| name.value.clone()));
        let Some(name) = named else {
            self.diagnostics.push(
                Diagnostic::error(NO_DEVICE, None, "neither the job nor the command line names a device")
                    .help("add `device_type:` to the job, or give --device FILE or --device-type NAME"),
            );
            return None;
        };
        let span = device_type.map(|name| name.span);
        let Ok(type_name) = name.parse::<Name>() else {
            let message = format!("`{name}` is not the name of a device type");
            self.diagnostics.push(Diagnostic::error(NO_DEVICE, span, message));
            return None;
        };
        let library = args.library();
        if !library.has(&name) {
            let known: Vec<_> = library.names().into_keys().collect();
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            let meant = pumice_types::nearest(&name, known.iter().copied()).map(str::to_owned);
            let message = format!("there is no device type `{name}`");
            self.diagnostics.push(
                Diagnostic::error(NO_DEVICE, span, message)
                    .help(format!("there is: {}; or give --device FILE", known.join(", ")))
                    .suggest(meant),
            );
            return None;
        }
        let dictionary = plain_dictionary(&type_name);
        let (source, device) = (format!("device type {name}"), format!("{name}-01"));
        let request = RenderRequest {
            source: &source,
            dictionary: &dictionary,
            device: &device,
            device_type: &name,
            context,
        };
        self.render(&request, None, args)
    }

    /// A dictionary, or a device that is rendered already.
    fn device_of_text(
        &mut self,
        path: &Path,
        text: &str,
        device_type: &str,
        context: &Map,
        args: &DeviceArgs,
    ) -> Option<Device> {
        let shown = path.display().to_string();
        let source = self.sources.add(shown.clone(), text);
        if is_dictionary(path) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let request =
                RenderRequest { source: &shown, dictionary: text, device: &name, device_type, context };
            return self.render(&request, Some(source), args);
        }
        let (node, found) = pumice_yaml::parse(text, source);
        self.diagnostics.extend(found);
        let (device, found) = Device::read(&node?);
        self.diagnostics.extend(found);
        Some(device)
    }

    /// `source` is the dictionary's own text, when a person wrote it.
    fn render(
        &mut self,
        request: &RenderRequest<'_>,
        source: Option<SourceId>,
        args: &DeviceArgs,
    ) -> Option<Device> {
        let types = args.library().device_types();
        match types.device(request, &mut self.sources) {
            Ok((mut device, found)) => {
                self.diagnostics.extend(provenance::explain(found, &types, request, source));
                if device.hostname.is_empty() {
                    request.device.clone_into(&mut device.hostname);
                }
                if device.device_type.is_empty() {
                    request.device_type.clone_into(&mut device.device_type);
                }
                Some(device)
            }
            Err(error) => {
                self.refuse_template(&error, request.source, source, &args.library());
                None
            }
        }
    }

    /// Shows where a template failed: in the dictionary, or in a template it extends.
    fn refuse_template(
        &mut self,
        error: &RenderError,
        dictionary: &str,
        source: Option<SourceId>,
        library: &Library,
    ) {
        let source = if error.template == dictionary {
            source
        } else {
            library.load(&error.template).map(|text| self.sources.add(error.template.clone(), text))
        };
        let place = source.zip(error.line).and_then(|(id, line)| {
            let text = &self.sources.get(id)?.text;
            let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
            let shown = text[start..].lines().next()?.trim_end();
            Some(Span::new(id, start, start + shown.len()))
        });
        let message = if place.is_some() { error.message.clone() } else { error.to_string() };
        let mut diagnostic = Diagnostic::error(NOT_RENDERED, place, message);
        if let Some(hint) = error.hint() {
            diagnostic = diagnostic.help(hint);
        }
        self.diagnostics.push(diagnostic);
    }
}

/// Whether a file is a template, by its name.
fn is_dictionary(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jinja2")
}

/// Why bytes are no text, and where.
fn not_text(error: &std::string::FromUtf8Error) -> String {
    let bytes = error.as_bytes();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return "it is UTF-16; save it as UTF-8".to_owned();
    }
    let good = String::from_utf8_lossy(&bytes[..error.utf8_error().valid_up_to()]);
    let line = good.split('\n').count();
    let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let bad = bytes.get(good.len()).copied().unwrap_or_default();
    format!("it is no UTF-8: the byte 0x{bad:02x} in line {line}, column {column}; save it as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_place() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(not_text(&String::from_utf8(bytes.to_vec()).unwrap_err()), expected);
        };
        let place = "it is no UTF-8: the byte 0xe9 in line 2, column 3; save it as UTF-8";
        check(b"a: b\nc\xc3\xa9\xe9 d\n", place);
        check(b"\xff\xfea\0", "it is UTF-16; save it as UTF-8");
    }
}
