//! `pumice uploads`: one's files on the server.

use pumice_api::upload::Upload;
use pumice_client::LabClient;
use pumice_types::{ByteSize, Cause, Failure};
use serde_json::json;

use crate::{
    cli::{
        Format,
        lab::{LabArgs, UploadsArgs, UploadsCommand},
    },
    exit::Exit,
    lab::{self, asked, connect},
    terminal::{Table, print, print_error},
};

/// How many one request asks for.
const PAGE: u32 = 500;

/// How much of a digest is shown: enough to name one by.
const SHORT: usize = 12;

pub(crate) fn main(args: &UploadsArgs) -> Exit {
    lab::exit(match &args.command {
        None => list(&args.lab),
        Some(UploadsCommand::Remove { file, lab }) => remove(lab, file),
    })
}

fn all(client: &LabClient) -> Result<Vec<Upload>, Failure> {
    let mut found = Vec::new();
    loop {
        let page = asked(client.uploads(PAGE, found.len() as u64))?;
        let is_last = page.results.is_empty();
        found.extend(page.results);
        if is_last || found.len() as u64 >= page.count {
            return Ok(found);
        }
    }
}

fn list(args: &LabArgs) -> Result<Exit, Failure> {
    let uploads = all(&connect(args)?)?;
    if args.format == Format::Json {
        print(&json!(uploads).to_string());
        return Ok(Exit::Success);
    }
    let mut table = Table::new(["file", "size", "sha256", "state", "kept until"]);
    for upload in &uploads {
        let state =
            if upload.complete { "whole".to_owned() } else { format!("{} of it", ByteSize(upload.offset)) };
        let digest = upload.sha256.get(..SHORT).unwrap_or_default().to_owned();
        let until = upload.expires.split('.').next().unwrap_or_default().to_owned();
        table.row([upload.name.clone(), ByteSize(upload.size).to_string(), digest, state, until]);
    }
    table.print("no files were sent");
    Ok(Exit::Success)
}

fn remove(args: &LabArgs, wanted: &str) -> Result<Exit, Failure> {
    let client = connect(args)?;
    let found = chosen(all(&client)?, wanted).map_err(|message| Failure {
        hint: Some("`pumice uploads` lists them".to_owned()),
        ..refused(message)
    })?;
    asked(client.delete_upload(&found.sha256))?;
    match args.format {
        Format::Json => print(&json!({ "removed": found.sha256 }).to_string()),
        Format::Text => print_error(&format!("{} was removed", found.name)),
    }
    Ok(Exit::Success)
}

fn refused(message: String) -> Failure {
    Failure::new(Cause::HostRefused, message)
}

/// The one that is meant: by its name, its digest, or the beginning of that.
fn chosen(uploads: Vec<Upload>, wanted: &str) -> Result<Upload, String> {
    let is_meant = |upload: &Upload| {
        upload.name == wanted || wanted.len() >= 4 && upload.sha256.starts_with(&wanted.to_lowercase())
    };
    let mut meant: Vec<_> = uploads.into_iter().filter(is_meant).collect();
    match (meant.pop(), meant.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(format!("you have no file `{wanted}` on the server")),
        (Some(_), more) => Err(format!("`{wanted}` may be any of {} files: give more of a digest", more + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_name_or_by_what_its_digest_begins_with() {
        let upload = |name: &str, sha256: &str| Upload {
            sha256: sha256.to_owned(),
            name: name.to_owned(),
            size: 5,
            offset: 5,
            complete: true,
            created: String::new(),
            expires: String::new(),
        };
        let all = || vec![upload("zImage", "aaaa11"), upload("x.dtb", "aaaa22"), upload("x.dtb", "bbbb33")];
        let check = |wanted: &str, expected: Result<&str, &str>| {
            let found = chosen(all(), wanted).map(|upload| upload.sha256);
            match expected {
                Ok(sha256) => assert_eq!(found.as_deref(), Ok(sha256), "{wanted}"),
                Err(words) => assert!(found.unwrap_err().contains(words), "{wanted}"),
            }
        };
        check("zImage", Ok("aaaa11"));
        check("BBBB", Ok("bbbb33"));
        check("aaaa2", Ok("aaaa22"));
        check("aaaa", Err("any of 2 files"));
        check("x.dtb", Err("any of 2 files"));
        check("aa", Err("no file `aa`"));
    }
}
