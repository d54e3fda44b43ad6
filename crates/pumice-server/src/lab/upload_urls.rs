//! Where a definition names files that were sent to the server (`upload://SHA256/NAME`), and what a worker gets there instead.

use std::collections::BTreeSet;

use pumice_api::upload::UploadUrl;
use serde_json::Value;

/// Keys whose value is the address of a file: of images, and of archives with tests (lava-compat 1.5 and 1.9).
const ADDRESSES: [&str; 2] = ["url", "repository"];

/// Every upload that a definition names.
pub(crate) fn named(definition: &Value) -> BTreeSet<UploadUrl> {
    let mut found = BTreeSet::new();
    // What is not changed is only looked at.
    visit(&mut definition.clone(), &mut |url| {
        found.insert(url.clone());
        None
    });
    found
}

/// Puts `address` of each upload in its place, and beside it, where an image is, the digest that its bytes must have.
pub(crate) fn replace(definition: &mut Value, address: &impl Fn(&UploadUrl) -> Option<String>) {
    visit(definition, &mut |url| address(url));
}

fn visit(value: &mut Value, with: &mut impl FnMut(&UploadUrl) -> Option<String>) {
    match value {
        Value::Object(entries) => {
            for key in ADDRESSES {
                let Some(url) = entries.get(key).and_then(Value::as_str) else { continue };
                let Ok(url) = url.parse::<UploadUrl>() else { continue };
                if let Some(address) = with(&url) {
                    entries.insert(key.to_owned(), address.into());
                    if key == "url" {
                        entries.insert("sha256sum".to_owned(), url.sha256().into());
                    }
                }
            }
            entries.values_mut().for_each(|inner| visit(inner, with));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| visit(inner, with)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn images_get_an_address_and_a_digest_and_tests_an_address() {
        let url = |name: &str| format!("upload://{DIGEST}/{name}");
        let mut definition = json!({"actions": [
            {"deploy": {"images": {"kernel": {"url": url("zImage"), "type": "zimage"}, "dtb": {"url": "http://h/x"}}}},
            {"test": {"definitions": [{"from": "url", "repository": url("t.tar"), "name": "upload"}]}},
            {"deploy": {"to": "tmpfs", "os": url("name")}},
        ]});
        let named: Vec<_> = named(&definition).iter().map(|url| url.name().to_string()).collect();
        assert_eq!(named, ["t.tar", "zImage"]);
        replace(&mut definition, &|url| Some(format!("http://lab/{}", url.name())));
        let images = &definition["actions"][0]["deploy"]["images"];
        assert_eq!(
            images["kernel"],
            json!({"url": "http://lab/zImage", "type": "zimage", "sha256sum": DIGEST})
        );
        assert_eq!(images["dtb"], json!({"url": "http://h/x"}));
        let test = &definition["actions"][1]["test"]["definitions"][0];
        assert_eq!(test, &json!({"from": "url", "repository": "http://lab/t.tar", "name": "upload"}));
        assert_eq!(definition["actions"][2]["deploy"]["os"], url("name"), "that is no address");
    }
}
