//! `pumice tokens`: one's tokens.

use pumice_api::people::{NewToken, Token};
use pumice_types::Failure;
use serde_json::json;

use crate::{
    cli::{
        Format,
        lab::{LabArgs, TokensArgs, TokensCommand},
    },
    exit::Exit,
    lab::{self, asked, connect},
    terminal::{print, print_error},
};

pub(crate) fn main(args: &TokensArgs) -> Exit {
    let done = match &args.command {
        None => list(&args.lab),
        Some(TokensCommand::Create { description, scope, days, lab }) => {
            let seconds = days.map(|days| u64::from(days) * 24 * 3600);
            create(lab, &NewToken { description: description.clone(), scopes: scope.clone(), seconds })
        }
        Some(TokensCommand::End { id, lab }) => end(lab, *id),
    };
    lab::exit(done)
}

fn list(args: &LabArgs) -> Result<Exit, Failure> {
    let tokens = asked(connect(args)?.tokens())?;
    match args.format {
        Format::Json => print(&json!(tokens).to_string()),
        Format::Text => tokens.iter().for_each(|token| print(&line(token))),
    }
    Ok(Exit::Success)
}

fn line(token: &Token) -> String {
    let scopes = if token.scopes.is_empty() { "everything".to_owned() } else { token.scopes.join(",") };
    let ends = token.expires.as_deref().map_or_else(String::new, |time| format!("  ends {time}"));
    let used = token.last_used.as_deref().unwrap_or("never");
    format!("{:>6}  {scopes:20} {}  used {used}{ends}", token.id, token.description)
}

fn create(args: &LabArgs, new: &NewToken) -> Result<Exit, Failure> {
    let created = asked(connect(args)?.create_token(new))?;
    match args.format {
        Format::Json => print(&json!(created).to_string()),
        Format::Text => {
            print(&created.secret);
            print_error(&format!("token {}: the secret is shown this once", created.id));
        }
    }
    Ok(Exit::Success)
}

fn end(args: &LabArgs, id: i64) -> Result<Exit, Failure> {
    asked(connect(args)?.delete_token(id))?;
    match args.format {
        Format::Json => print(&json!({ "ended": id }).to_string()),
        Format::Text => print_error(&format!("token {id} is no longer valid")),
    }
    Ok(Exit::Success)
}
