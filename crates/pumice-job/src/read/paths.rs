//! Paths in the place of URLs.

use pumice_types::Spanned;

use crate::{Action, DefinitionSource, Image, Job, TestKind};

/// Makes `file:` URLs of the paths that stand where a job names a file: they begin at `directory`, an absolute path.
pub(crate) fn resolve_paths(job: &mut Job, directory: &str) {
    for action in &mut job.actions {
        match action {
            Action::Deploy(deploy) => {
                let images: [&mut Vec<Image>; 2] = [&mut deploy.images, &mut deploy.files];
                images.into_iter().flatten().for_each(|image| resolve(&mut image.resource.url, directory));
            }
            Action::Test(test) => {
                if let TestKind::Definitions { definitions, .. } = &mut test.kind {
                    for definition in definitions {
                        if let DefinitionSource::Url { repository, .. } = &mut definition.from {
                            resolve(repository, directory);
                        }
                    }
                }
            }
            Action::Boot(_) | Action::Command(_) => {}
        }
    }
}

fn resolve(address: &mut Spanned<String>, directory: &str) {
    // `{KEY}` stands for what the device says; `file:name` is a path that says so.
    let path = match address.value.split_once(':') {
        _ if address.value.starts_with('{') => return,
        Some(("file", path)) if !path.starts_with('/') => path,
        // A colon of a scheme stands before the first slash.
        Some((scheme, _)) if !scheme.contains('/') => return,
        _ => &address.value,
    };
    let path = path.strip_prefix("./").unwrap_or(path).replace('%', "%25");
    let directory = directory.trim_end_matches('/').replace('%', "%25");
    address.value =
        if path.starts_with('/') { format!("file://{path}") } else { format!("file://{directory}/{path}") };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_directory_and_a_url_stays() {
        let check = |address: &str, expected: &str| {
            let mut spanned = Spanned { value: address.to_owned(), span: pumice_types::Span::default() };
            resolve(&mut spanned, "/home/me");
            assert_eq!(spanned.value, expected);
        };
        check("zImage", "file:///home/me/zImage");
        check("./out/a b 5%", "file:///home/me/out/a b 5%25");
        check("../zImage", "file:///home/me/../zImage");
        check("/srv/zImage", "file:///srv/zImage");
        check("out/a:b", "file:///home/me/out/a:b");
        check("file:zImage", "file:///home/me/zImage");
        check("file:/srv/zImage", "file:/srv/zImage");
        check("file:///srv/zImage", "file:///srv/zImage");
        check("https://h/zImage", "https://h/zImage");
        check("htps://h/zImage", "htps://h/zImage");
        check("{BASE}/zImage", "{BASE}/zImage");
    }
}
