//! Plans deploy blocks.

use std::collections::BTreeMap;

use pumice_job::{Deploy as JobDeploy, Image, Overlay, Resource};
use pumice_types::{Code, Diagnostic};
use pumice_yaml::{Map, Node};

use super::{Builder, on_timeout, tries, unsupported::UNSUPPORTED};
use crate::{
    container::{ContainerOptions, ContainerPlan},
    deploy::{
        ApplyOverlay, Deploy, DeployKind, Download, ExtractFiles, ExtractedFile, ImageOverlays,
        MakeFileSystem, OtherOverlay,
    },
    machine::{ImageUse, OverlayDelivery},
    plan::Block,
    scope::{BlockScopes, Scope, Tries},
};

/// No way to bring the overlay to the machine.
const NO_DELIVERY: Code = Code("overlay-has-no-way");
/// A file without which the block cannot do what it is for.
const MISSING_FILE: Code = Code("missing-key");
/// A scheme that nobody here fetches.
const SCHEME: Code = Code("unsupported-scheme");

impl Builder<'_> {
    pub(crate) fn deploy(
        &mut self,
        deploy: &JobDeploy,
        index: usize,
        number: u32,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<Block> {
        let name = self.deploy_step(deploy)?;
        self.check_files(deploy)?;
        let namespace = deploy.block.namespace();
        let scope = scopes.block(number, name, None);
        let retries = tries(&deploy.block, self.device.constants.failure_retry);
        let is_downloads = deploy.to.value == "downloads";
        let wants_overlay = !is_downloads && self.ahead.needs_overlay(namespace);
        let wants_delivery = wants_overlay && self.ahead.needs_guest_overlay(namespace);
        let delivery = if wants_delivery { self.delivery(deploy, index) } else { None };
        // LAVA's order: the overlay first, so that a broken definition costs no download.
        let compress = matches!(delivery, Some(OverlayDelivery::Transfer | OverlayDelivery::Copied));
        let outline = self.ahead.next_boot(namespace, index).and_then(|at| self.outline_of(at));
        let outline = outline.map(|(_, outline)| outline);
        let overlay =
            wants_overlay.then(|| self.overlay(namespace, &scope, compress, outline.as_ref(), scopes));
        let uses = outline.map(|outline| outline.image_uses).unwrap_or_default();
        let mut downloads = self.downloads(deploy, &scope, retries, &uses, scopes);
        if let Some(OverlayDelivery::Initramfs { label }) = &delivery {
            let grows = downloads.iter_mut().filter(|download| download.label == *label);
            grows.for_each(|download| download.used = ImageUse::Write);
        }
        if deploy.postprocess.is_some() {
            // What the steps do to the files must not be done to the store's.
            for download in &mut downloads {
                download.used = ImageUse::Write;
            }
        }
        let kind = self.deploy_kind(deploy, &scope, scopes)?;
        let apply = match delivery {
            Some(by @ (OverlayDelivery::Initramfs { .. } | OverlayDelivery::Disk)) => {
                let disk_mib = self.guest_disk().size_mib;
                Some(ApplyOverlay { scope: scopes.step(&scope, "apply-overlay-guest"), by, disk_mib })
            }
            // LAVA's name for all that is served over a network.
            Some(by @ OverlayDelivery::Directory) if deploy.to.value == "nfs" => {
                Some(ApplyOverlay { scope: scopes.step(&scope, "apply-overlay-tftp"), by, disk_mib: 0 })
            }
            _ => None,
        };
        let on_timeout = on_timeout(&deploy.block, false);
        Some(Block::Deploy(Box::new(Deploy { scope, kind, overlay, downloads, apply, on_timeout })))
    }

    /// LAVA's name for the block, from the platform that serves it; checks that the device has the method.
    fn deploy_step(&mut self, deploy: &JobDeploy) -> Option<&'static str> {
        let to = deploy.to.value.as_str();
        let (method, name) = match to {
            "downloads" => return Some("downloads"),
            "overlay" => return Some("overlay-deploy"),
            "docker" => ("docker", "deploy-docker"),
            "ssh" => ("ssh", "scp-overlay"),
            _ => {
                let mut served = self.planners.iter().flat_map(|planner| planner.deploys());
                let Some(way) = served.find(|way| way.to == to) else {
                    let message = format!("deploying to `{to}` is not supported yet");
                    self.diagnostics.push(Diagnostic::error(UNSUPPORTED, deploy.to.span, message));
                    return None;
                };
                (way.device_method, way.step)
            }
        };
        if !method.is_empty() && self.device.deploy_method(method).is_none() {
            let methods = self.device.node.at(&["actions", "deploy", "methods"]);
            let names = methods.and_then(Node::as_map).into_iter().flat_map(Map::keys);
            let has: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            let has: Vec<_> = has.iter().map(String::as_str).collect();
            self.not_on_device(deploy.to.span, &format!("deploy to `{to}`"), &has);
            return None;
        }
        Some(name)
    }

    /// Blocks that make something of their files must have them.
    fn check_files(&mut self, deploy: &JobDeploy) -> Option<()> {
        let needed: &[&str] = match deploy.to.value.as_str() {
            "nfs" => &["nfsrootfs"],
            "iso-installer" => &["iso", "preseed"],
            _ => &[],
        };
        let has =
            |label: &str| deploy.images.iter().chain(&deploy.files).any(|image| image.label.value == label);
        let Some(missing) = needed.iter().find(|label| !has(label)) else { return Some(()) };
        let message = format!("deploying to `{}` needs the file `{missing}`", deploy.to.value);
        self.diagnostics.push(Diagnostic::error(MISSING_FILE, deploy.to.span, message));
        None
    }

    /// How the overlay reaches the machine that this block's files are for.
    fn delivery(&mut self, deploy: &JobDeploy, index: usize) -> Option<OverlayDelivery> {
        let namespace = deploy.block.namespace();
        let boot = self.ahead.next_boot(namespace, index).and_then(|at| self.ahead.boot(at));
        if boot.is_some_and(|boot| boot.method.value == "ssh") {
            return Some(OverlayDelivery::Copied);
        }
        let fetches = boot.is_some_and(|boot| boot.transfer_overlay.is_some());
        if matches!(deploy.to.value.as_str(), "docker" | "overlay" | "ssh" | "nfs") && !fetches {
            return Some(OverlayDelivery::Directory);
        }
        let into_image = |image: &&Image| image.resource.overlays.contains(&Overlay::Lava);
        if let Some(image) = deploy.images.iter().find(into_image) {
            return Some(OverlayDelivery::Image { label: image.label.value.clone() });
        }
        let at = self.ahead.next_boot(namespace, index)?;
        if self.ahead.boot(at)?.transfer_overlay.is_some() {
            return Some(OverlayDelivery::Transfer);
        }
        let (_, outline) = self.outline_of(at)?;
        let first = outline.overlays.into_iter().next();
        if first.is_none() {
            self.diagnostics.push(
                Diagnostic::warning(
                    NO_DELIVERY,
                    deploy.to.span,
                    "the tests need an overlay in the guest and nothing brings it there",
                )
                .help(
                    "give one of the images `overlays: {lava: true}` and a `format`, or the boot block \
                     `transfer_overlay`",
                ),
            );
        }
        first
    }

    fn deploy_kind(
        &self,
        deploy: &JobDeploy,
        scope: &Scope,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<DeployKind> {
        let uniquify = deploy.uniquify.as_ref().map(|uniquify| uniquify.value);
        Some(match deploy.to.value.as_str() {
            "downloads" => DeployKind::Downloads {
                uniquify: uniquify.unwrap_or(false),
                postprocess: deploy.postprocess.as_ref().map(|postprocess| {
                    (scopes.step(scope, "download-postprocess-docker"), postprocess.clone())
                }),
            },
            "nfs" => DeployKind::Nfs { extract: scopes.step(scope, "qemu-nfs-deploy") },
            "docker" => {
                let method = self.device.deploy_method("docker");
                let options = ContainerOptions::read(method.and_then(|node| node.get("options")));
                let container = deploy.container.clone()?;
                DeployKind::Container { container: Box::new(ContainerPlan { container, options }) }
            }
            "overlay" => DeployKind::Overlay,
            "ssh" => DeployKind::Ssh,
            "iso-installer" => DeployKind::IsoInstaller {
                iso: deploy.iso.clone()?,
                empty_image: scopes.step(scope, "prepare-empty-image"),
                pull: scopes.step(scope, "pull-installer-files"),
            },
            _ => DeployKind::Images { uniquify: uniquify.unwrap_or(true) },
        })
    }

    fn downloads(
        &mut self,
        deploy: &JobDeploy,
        scope: &Scope,
        retries: Option<Tries>,
        uses: &BTreeMap<String, ImageUse>,
        scopes: &mut BlockScopes<'_>,
    ) -> Vec<Download> {
        let images = deploy.images.iter().chain(&deploy.files);
        let downloads = images.filter_map(|image| self.download(image, scope, retries, scopes));
        let mut downloads: Vec<_> = downloads.collect();
        for download in &mut downloads {
            // What is written into before the boot must keep its own format.
            let known = uses.get(&download.label).copied().unwrap_or(ImageUse::Write);
            download.used = match download {
                // An archive is only read.
                Download { filesystem: Some(_), .. } => ImageUse::Read,
                Download { overlays: Some(_), .. } | Download { extract: Some(_), .. } => ImageUse::Write,
                _ => known,
            };
        }
        downloads
    }

    fn download(
        &mut self,
        image: &Image,
        parent: &Scope,
        retries: Option<Tries>,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<Download> {
        let resource = self.resource(&image.resource);
        let step = self.download_step(&resource)?;
        let retry = scopes.step_with_tries(parent, "download-retry", retries);
        let scope = scopes.step(&retry, step);
        let mut others = Vec::new();
        for overlay in &resource.overlays {
            if let Overlay::File(file) = overlay {
                let mut file = file.clone();
                file.resource = self.resource(&file.resource);
                let step = self.download_step(&file.resource)?;
                let retry = scopes.step_with_tries(&retry, "download-retry", retries);
                let scope = scopes.step(&retry, step);
                others.push(OtherOverlay { retry, scope, file: *file });
            }
        }
        let filesystem = resource
            .filesystem
            .as_ref()
            .map(|kind| MakeFileSystem { scope: scopes.step(&retry, "make-filesystem"), kind: kind.value });
        let overlays = match (&resource.format, resource.overlays.is_empty()) {
            (Some(format), false) => Some(ImageOverlays {
                scope: scopes.step(&retry, "append-overlays"),
                format: format.value,
                partition: resource.partition.as_ref().or(resource.root_partition.as_ref()).map(|n| n.value),
                lava: resource.overlays.contains(&Overlay::Lava),
                others,
            }),
            _ => None,
        };
        let extract = Self::extract(&resource, &retry, scopes);
        let label = image.label.value.clone();
        let used = ImageUse::Write;
        Some(Download { retry, scope, label, resource, used, filesystem, overlays, extract })
    }

    fn extract(resource: &Resource, parent: &Scope, scopes: &mut BlockScopes<'_>) -> Option<ExtractFiles> {
        if resource.extract.is_empty() {
            return None;
        }
        let file = |variable: &pumice_job::Variable| ExtractedFile {
            label: variable.name.clone(),
            pattern: variable.value.clone(),
        };
        Some(ExtractFiles {
            scope: scopes.step(parent, "extract-files"),
            // With overlays it says where these go.
            partition: resource
                .partition
                .as_ref()
                .filter(|_| resource.overlays.is_empty())
                .map(|number| number.value),
            files: resource.extract.iter().map(file).collect(),
        })
    }

    /// LAVA's name for the download of a URL of this scheme.
    pub(crate) fn download_step(&mut self, resource: &Resource) -> Option<&'static str> {
        let scheme = resource.url.value.split(':').next().unwrap_or_default();
        match scheme {
            "http" | "https" => Some("http-download"),
            "file" => Some("file-download"),
            "downloads" => Some("pre-downloaded"),
            _ => {
                let message = format!("nothing here fetches `{scheme}:` URLs");
                self.diagnostics.push(
                    Diagnostic::error(SCHEME, resource.url.span, message)
                        .help("use `http`, `https`, `file`, or `downloads` for a file of an earlier block"),
                );
                None
            }
        }
    }

    /// `{KEY}` of the device's `static_info` replaced in the URL (lava-compat 1.5).
    pub(crate) fn resource(&self, resource: &Resource) -> Resource {
        let mut resource = resource.clone();
        let known: BTreeMap<_, _> = self.device.static_info.iter().flatten().collect();
        for (key, value) in known {
            resource.url.value = resource.url.value.replace(&format!("{{{key}}}"), value);
        }
        resource
    }
}
