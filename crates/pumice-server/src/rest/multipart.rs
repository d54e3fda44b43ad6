//! Forms as `curl -F` sends them: `multipart/form-data` (RFC 7578) of texts.

/// The fields of a form, in their order; nothing when it is none. A file counts by what it holds.
pub(super) fn fields(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut parameters = content_type.split(';').map(str::trim);
    let boundary = parameters.find_map(|part| part.strip_prefix("boundary="))?.trim_matches('"');
    if boundary.is_empty() {
        return None;
    }
    let (_, mut rest) = std::str::from_utf8(body).ok()?.split_once(&format!("--{boundary}"))?;
    let next = format!("\r\n--{boundary}");
    let mut fields = Vec::new();
    while !rest.starts_with("--") {
        let (part, after) = rest.trim_start_matches([' ', '\t']).strip_prefix("\r\n")?.split_once(&next)?;
        let (head, content) = part.split_once("\r\n\r\n")?;
        fields.push((name(head)?, content.to_owned()));
        rest = after;
    }
    Some(fields)
}

/// What `name=` says in the head of a part.
fn name(head: &str) -> Option<String> {
    let disposition = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let name = disposition.split(';').find_map(|part| part.trim().strip_prefix("name="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&[(&str, &str)]>) {
        let found = fields("multipart/form-data; boundary=\"xx\"", body.as_bytes());
        let expected = expected
            .map(|fields| fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>());
        assert_eq!(found, expected, "{body:?}");
    }

    #[test]
    fn the_fields_of_a_form_are_read() {
        let file = "--xx\r\nContent-Disposition: form-data; name=\"definition\"; filename=\"a.yaml\"\r\n\
                    Content-Type: text/plain\r\n\r\na: 1\r\nb: --x\r\n\r\n--xx\r\n\
                    content-disposition: form-data; name=strict\r\n\r\ntrue\r\n--xx--\r\n";
        check(file, Some(&[("definition", "a: 1\r\nb: --x\r\n"), ("strict", "true")]));
        check("--xx--", Some(&[]));
        for broken in ["", "--xx", "--xx\r\n", "--xx\r\nname=a\r\n\r\nb\r\n--xx--", "--xx\r\nb\r\n--xx--"] {
            check(broken, None);
        }
    }
}
