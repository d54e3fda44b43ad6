//! Reads a job and its device from files, with every mistake in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pumice_device::{Device, DeviceTypes, RenderRequest, plain_dictionary};
use pumice_job::{Action, Job};
use pumice_plan::{MachinePlanner, Plan, PlanOptions, plan};
use pumice_platform::Platform;
use pumice_types::{Code, Diagnostic, Diagnostics, JobId, Name, Sources};

use crate::{cli::DeviceArgs, config::Config, library::DEVICE_TYPES, models};

/// The file cannot be read.
const UNREADABLE: Code = Code("unreadable-file");
/// The device cannot be rendered.
const NOT_RENDERED: Code = Code("device-not-rendered");
/// A model that the library has not.
const UNKNOWN_MODEL: Code = Code("unknown-model");
/// Neither the command line nor the job says which device.
const NO_DEVICE: Code = Code("no-device");

/// What `pumice-job` says of a job that names no device type.
const NO_DEVICE_TYPE: Code = Code("device-type");

/// A job, its device, and what would be done.
pub(crate) struct Input {
    /// Every text that was read.
    pub(crate) sources: Sources,
    /// Every mistake.
    pub(crate) diagnostics: Diagnostics,
    /// The job, when its text is a mapping at all.
    pub(crate) job: Option<Job>,
    /// The plan, when there is no error.
    pub(crate) plan: Option<Plan>,
}

impl Input {
    /// Reads `job` for the device that `args` name.
    pub(crate) fn read(
        job: &Path,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let mut input =
            Self { sources: Sources::default(), diagnostics: Diagnostics::new(), job: None, plan: None };
        match input.text(job) {
            Some(text) => Self::of_text(&job.display().to_string(), text, args, job_id, platforms),
            None => input,
        }
    }

    /// The same of a job's text; `name` is what messages call it.
    pub(crate) fn of_text(
        name: &str,
        text: String,
        args: &DeviceArgs,
        job_id: JobId,
        platforms: &[std::rc::Rc<dyn Platform>],
    ) -> Self {
        let mut input =
            Self { sources: Sources::default(), diagnostics: Diagnostics::new(), job: None, plan: None };
        let source = input.sources.add(name.to_owned(), text.clone());
        let (job, found) = pumice_job::parse(&text, source);
        let Some(job) = job else {
            input.diagnostics.extend(found);
            return input;
        };
        // Who names the device on the command line does not need to be told that the job names none.
        let names_device = args.device.is_some() || args.device_type.is_some();
        let found = pumice_job::for_planning(&job, found).into_iter();
        input.diagnostics.extend(found.filter(|one| !(names_device && one.code == NO_DEVICE_TYPE)));
        if let Some(device) = input.device(&job, args) {
            let planners: Vec<&dyn MachinePlanner> =
                platforms.iter().map(|platform| &**platform as &dyn MachinePlanner).collect();
            let options = input.options(&job, &device, job_id, args);
            let (planned, found) = plan(&job, &device, &planners, &options);
            input.diagnostics.extend(found);
            input.plan = planned.filter(|_| !input.diagnostics.has_errors());
        }
        input.diagnostics = std::mem::take(&mut input.diagnostics).sorted();
        input.job = Some(job);
        input
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
        match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                self.diagnostics.push(Diagnostic::error(UNREADABLE, None, message));
                None
            }
        }
    }

    /// The device: a rendered one, a dictionary, or nothing but a type.
    fn device(&mut self, job: &Job, args: &DeviceArgs) -> Option<Device> {
        if let Some(path) = &args.device {
            let text = self.text(path)?;
            if path.extension().is_some_and(|extension| extension == "jinja2") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let device_type = job.device_type.as_ref().map_or("", |name| name.value.as_str());
                return self.render(&path.display().to_string(), &text, &name, device_type, job, args);
            }
            let source = self.sources.add(path.display().to_string(), text.clone());
            let (node, found) = pumice_yaml::parse(&text, source);
            self.diagnostics.extend(found);
            let (device, found) = Device::read(&node?);
            self.diagnostics.extend(found);
            return Some(device);
        }
        let named =
            args.device_type.clone().or_else(|| job.device_type.as_ref().map(|name| name.value.clone()));
        let Some(name) = named else {
            self.diagnostics.push(
                Diagnostic::error(
                    NO_DEVICE,
                    job.name.span,
                    "neither the job nor the command line names a device",
                )
                .help("add `device_type:` to the job, or give --device FILE or --device-type NAME"),
            );
            return None;
        };
        let span = job.device_type.as_ref().map(|name| name.span);
        let Ok(type_name) = name.parse::<Name>() else {
            let message = format!("`{name}` is not the name of a device type");
            self.diagnostics.push(Diagnostic::error(NO_DEVICE, span, message));
            return None;
        };
        if load(&args.device_types, &format!("{name}.jinja2")).is_none() {
            let known: Vec<_> = DEVICE_TYPES
                .iter()
                .filter_map(|(file, _)| file.strip_suffix(".jinja2"))
                .filter(|n| *n != "base")
                .collect();
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
        self.render(&format!("device type {name}"), &dictionary, &format!("{name}-01"), &name, job, args)
    }

    fn render(
        &mut self,
        source: &str,
        dictionary: &str,
        device: &str,
        device_type: &str,
        job: &Job,
        args: &DeviceArgs,
    ) -> Option<Device> {
        let directories = args.device_types.clone();
        let types = DeviceTypes::new(move |name| load(&directories, name));
        let request = RenderRequest { source, dictionary, device, device_type, context: &job.context };
        match types.device(&request, &mut self.sources) {
            Ok((mut device_value, found)) => {
                self.diagnostics.extend(found);
                if device_value.hostname.is_empty() {
                    device.clone_into(&mut device_value.hostname);
                }
                if device_value.device_type.is_empty() {
                    device_type.clone_into(&mut device_value.device_type);
                }
                Some(device_value)
            }
            Err(error) => {
                self.diagnostics.push(Diagnostic::error(NOT_RENDERED, None, error.to_string()));
                None
            }
        }
    }
}

/// A template: of the operator's directories first, then of those that ship.
fn load(directories: &[PathBuf], name: &str) -> Option<String> {
    let own = directories.iter().find_map(|directory| fs::read_to_string(directory.join(name)).ok());
    own.or_else(|| DEVICE_TYPES.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()))
}
