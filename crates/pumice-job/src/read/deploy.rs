//! `deploy` blocks and the files they name.

use pumice_types::{ByteSize, Diagnostic, Diagnostics, Spanned};
use pumice_yaml::{Node, Value};

use super::{Fields, blocks, defect, integer};
use crate::{
    Algorithm, Block, Checksum, Compression, Container, Deploy, FileSystem, Format, Image, IsoInstall,
    Overlay, OverlayFile, Postprocess, Resource, codes::UNUSABLE,
};

const COMPRESSIONS: [(&str, Compression); 5] = [
    ("bz2", Compression::Bz2),
    ("gz", Compression::Gz),
    ("xz", Compression::Xz),
    ("zip", Compression::Zip),
    ("zstd", Compression::Zstd),
];
const FORMATS: [(&str, Format); 3] =
    [("cpio.newc", Format::CpioNewc), ("ext4", Format::Ext4), ("tar", Format::Tar)];

pub(super) fn deploy(fields: Fields<'_>, block: Block, defects: &mut Diagnostics) -> Option<Deploy> {
    let to = fields.needed("to", defects)?;
    if fields.map.get("images").is_none() && to.value == "tmpfs" {
        // No way to deploy accepts it (lava-compat 1.9).
        defects.push(Diagnostic::error(UNUSABLE, block.word_span, "`images` is missing"));
    }
    let images = fields.fields("images", defects).map(|images| labelled(images, defects)).unwrap_or_default();
    Some(Deploy {
        block,
        os: fields.text("os", defects),
        authorize_ssh: fields.get("authorize").and_then(Node::as_str) == Some("ssh"),
        images,
        files: files(fields, defects),
        uniquify: fields.spanned_flag("uniquify"),
        is_monitor: fields.get("type").and_then(Node::as_str) == Some("monitor"),
        container: container(fields, &to.value, defects),
        postprocess: fields.fields("postprocess", defects).and_then(|fields| postprocess(fields, defects)),
        iso: fields.fields("iso", defects).and_then(|fields| iso(fields, defects)),
        to,
        fields: fields.map.clone(),
    })
}

/// Every entry of `images`.
fn labelled(images: Fields<'_>, defects: &mut Diagnostics) -> Vec<Image> {
    let image = |entry: &pumice_yaml::Entry| {
        let resource = resource(Fields::of(&entry.value, defects)?, defects)?;
        Some(Image { label: Spanned::new(entry.key.clone(), entry.key_span), resource })
    };
    images.map.iter().filter_map(image).collect()
}

/// Every key of the block whose value has a `url`.
fn files(fields: Fields<'_>, defects: &mut Diagnostics) -> Vec<Image> {
    let entries = fields.map.iter().filter(|entry| entry.key != "images");
    let mut files = Vec::new();
    for entry in entries {
        let nodes = match &entry.value.value {
            Value::Seq(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        for node in nodes.iter().filter(|node| node.get("url").is_some()) {
            let read = Fields::of(node, defects).and_then(|fields| resource(fields, defects));
            let label = Spanned::new(entry.key.clone(), entry.key_span);
            files.extend(read.map(|resource| Image { label, resource }));
        }
    }
    files
}

/// The container image of `deploy: to: docker`: a text or a mapping.
fn container(fields: Fields<'_>, to: &str, defects: &mut Diagnostics) -> Option<Container> {
    if to != "docker" {
        return fields.fields("docker", defects).and_then(|fields| blocks::container(fields, defects));
    }
    let node = fields.get("image")?;
    if node.as_map().is_some() {
        return blocks::container(Fields::of(node, defects)?, defects);
    }
    Some(Container {
        image: super::text(node, defects)?,
        local: false,
        container_name: None,
        network_from: None,
        login: None,
        binary: None,
        devices: Vec::new(),
        span: node.span,
    })
}

fn postprocess(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Postprocess> {
    let fields = fields.fields("docker", defects)?;
    Some(Postprocess {
        container: blocks::container(fields, defects)?,
        steps: fields.texts("steps", defects),
    })
}

fn iso(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<IsoInstall> {
    Some(IsoInstall {
        kernel: fields.needed("kernel", defects)?,
        initrd: fields.needed("initrd", defects)?,
        installation_size: size(fields.get("installation_size")?, defects)?,
        tries: fields.count("tries", defects),
    })
}

/// A number of bytes, or a text as `qemu-img` takes it: `2G`, `800M`.
fn size(node: &Node, defects: &mut Diagnostics) -> Option<Spanned<ByteSize>> {
    let size = match &node.value {
        Value::String(text) => text.parse().ok(),
        _ => integer(node).and_then(|number| u64::try_from(number).ok()).map(ByteSize),
    };
    if size.is_none() {
        defect(defects, node, "a size such as `2G`");
    }
    size.map(|size| Spanned::new(size, node.span))
}

/// A resource object.
pub(super) fn resource(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Resource> {
    const DIGESTS: [(&str, Algorithm); 3] =
        [("md5sum", Algorithm::Md5), ("sha256sum", Algorithm::Sha256), ("sha512sum", Algorithm::Sha512)];
    let checksums = DIGESTS.into_iter().filter_map(|(key, algorithm)| {
        fields.text(key, defects).map(|digest| Checksum { algorithm, digest })
    });
    let checksums = checksums.collect();
    Some(Resource {
        url: fields.needed("url", defects)?,
        headers: fields.variables("headers", defects),
        compression: compression(fields, defects),
        is_tar: fields.get("archive").and_then(Node::as_str) == Some("tar"),
        checksums,
        use_cache: fields.flag("use_cache", true),
        image_arg: fields.text("image_arg", defects),
        format: format(fields, defects),
        partition: fields.number("partition", defects),
        sparse: fields.flag("sparse", false),
        overlays: fields
            .fields("overlays", defects)
            .map(|fields| overlays(fields, defects))
            .unwrap_or_default(),
        extract: fields.variables("extract", defects),
        filesystem: fields.word(
            "filesystem",
            &[("ext2", FileSystem::Ext2), ("ext4", FileSystem::Ext4)],
            defects,
        ),
        apply_overlay: fields.flag("apply-overlay", false),
        storage_file: fields.text("storage_file", defects),
        root_partition: fields.number("root_partition", defects),
        span: fields.span,
    })
}

/// `format`, which matters only where something is to be put into the image: there any other word is a defect.
fn format(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Spanned<Format>> {
    let mut found = Diagnostics::new();
    let format = fields.word("format", &FORMATS, &mut found);
    if fields.get("overlays").is_some() {
        defects.extend(found);
        if fields.get("format").is_none() {
            defects.push(Diagnostic::error(UNUSABLE, fields.span, "`format` is missing"));
        }
    }
    format
}

/// `compression`, where LAVA takes an empty text for none.
pub(super) fn compression(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Spanned<Compression>> {
    if fields.get("compression").and_then(Node::as_str) == Some("") {
        return None;
    }
    fields.word("compression", &COMPRESSIONS, defects)
}

fn overlays(fields: Fields<'_>, defects: &mut Diagnostics) -> Vec<Overlay> {
    let mut overlays = Vec::new();
    for entry in fields.map {
        if entry.key == "lava" {
            if fields.flag("lava", false) {
                overlays.push(Overlay::Lava);
            }
            continue;
        }
        let Some(fields) = Fields::of(&entry.value, defects) else { continue };
        let unpack = fields.word("format", &[("file", false), ("tar", true)], defects);
        // `format` here is the overlay's, not the resource's.
        let mut scratch = Diagnostics::new();
        let Some(mut resource) = resource(fields, &mut scratch) else {
            let _ = fields.needed("url", defects);
            continue;
        };
        resource.format = None;
        let Some(path) = fields.needed("path", defects) else { continue };
        if !path.value.starts_with('/') {
            let message = "the path of an overlay begins with `/`";
            defects.push(
                Diagnostic::error(UNUSABLE, path.span, message).suggest(Some(format!("/{}", path.value))),
            );
        }
        let name = Spanned::new(entry.key.clone(), entry.key_span);
        let unpack = unpack.is_some_and(|unpack| unpack.value);
        overlays.push(Overlay::File(Box::new(OverlayFile { name, resource, unpack, path })));
    }
    overlays
}
