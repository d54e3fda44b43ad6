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
    terminal::{Table, print, print_error},
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
    if args.format == Format::Json {
        print(&json!(tokens).to_string());
        return Ok(Exit::Success);
    }
    let mut table = Table::new(["token", "may", "for", "last used", "ends"]);
    for token in &tokens {
        table.row(row(token));
    }
    table.print("you have no tokens");
    Ok(Exit::Success)
}

fn row(token: &Token) -> [String; 5] {
    let scopes = if token.scopes.is_empty() { "everything".to_owned() } else { token.scopes.join(",") };
    let time = |time: &Option<String>, none: &str| {
        time.as_deref().map_or(none, |time| time.split('.').next().unwrap_or(time)).to_owned()
    };
    let (used, ends) = (time(&token.last_used, "never"), time(&token.expires, "never"));
    [token.id.to_string(), scopes, token.description.clone(), used, ends]
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
