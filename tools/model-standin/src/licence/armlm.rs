//! A fake of `armlm`, the tool that fetches user-based licences (reference 5.2): the commands that LAVA and people
//! use, with outcomes that the knobs choose.

use super::user_based::{self, DAYS, UserLicence};
use crate::environment::{Environment, user_name};
use crate::knobs::{Activation, Knobs};
use std::collections::BTreeMap;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Runs one command; the answer is what to print, the error goes to standard error with exit code 1.
pub(crate) fn run(words: &[String], knobs: &Knobs, environment: &Environment) -> Result<String, String> {
    let usage = || "usage: armlm activate|reactivate|deactivate|import|inspect [OPTIONS]".to_owned();
    let (command, rest) = words.split_first().ok_or_else(usage)?;
    let options = options(rest)?;
    let option = |name: &str| options.get(name).map(String::as_str);
    match command.as_str() {
        "activate" | "reactivate" => {
            let code = option("code");
            let product =
                option("product").or(code).ok_or("armlm: --code, or --server and --product, is needed")?;
            let server = option("server").unwrap_or("https://licences.invalid");
            reach(server, code.is_some(), knobs)?;
            let licence = licence(product, server, option("as-user"), knobs);
            match option("to-file") {
                Some(file) => write(Path::new(file), &licence)?,
                None => cache(&licence, environment)?,
            }
            Ok(format!("License activated: {}\n", licence.product))
        }
        "import" => {
            let file = option("file").ok_or("armlm: --file is needed")?;
            let text = std::fs::read_to_string(file).map_err(|error| format!("armlm: {file}: {error}"))?;
            if text.trim().is_empty() {
                return Err(format!("armlm: {file}: not a license file"));
            }
            let licence = serde_json::from_str(&text)
                .unwrap_or_else(|_| licence("imported", file, option("as-user"), knobs));
            cache(&licence, environment)?;
            Ok(format!("License imported: {}\n", licence.product))
        }
        "inspect" => Ok(match user_based::find(environment) {
            None => "There are no cached licenses.\n".to_owned(),
            Some(licence) => format!(
                "Product: {}\nServer:  {}\nUser:    {}\nExpires: {} seconds from now\n",
                licence.product,
                licence.server,
                licence.user,
                licence.expires.saturating_sub(user_based::now())
            ),
        }),
        "deactivate" => {
            let path = user_based::path(environment).ok_or("armlm: there is no home directory")?;
            std::fs::remove_file(path).map_err(|_| "armlm: there is no license to deactivate".to_owned())?;
            Ok("License deactivated.\n".to_owned())
        }
        _ => Err(usage()),
    }
}

/// `--name VALUE`, `--name=VALUE` and, for `-file`, one dash.
fn options(words: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let name = word.trim_start_matches('-');
        if name == word {
            return Err(format!("armlm: unexpected argument '{word}'"));
        }
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (name, rest.next().cloned().ok_or_else(|| format!("armlm: '{word}' needs a value"))?),
        };
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// Whether the server answers, by the knobs and, for a server that is named, by connecting to it.
fn reach(server: &str, code_alone: bool, knobs: &Knobs) -> Result<(), String> {
    let unreachable = || format!("License server '{server}' could not be reached");
    if let Some(path) = &knobs.activation_failures {
        let left =
            std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0);
        if left > 0 {
            std::fs::write(path, (left - 1).to_string()).map_err(|error| format!("armlm: {error}"))?;
            return Err(unreachable());
        }
    }
    match knobs.activation {
        Activation::Unreachable => Err(unreachable()),
        Activation::Limit => Err("The activation limit of the product has been reached.".to_owned()),
        Activation::Normal if code_alone => Ok(()),
        Activation::Normal => connects(server).then_some(()).ok_or_else(unreachable),
    }
}

fn connects(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let default = if scheme == "http" { 80 } else { 443 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(default)),
        None => (authority, default),
    };
    let addresses = (host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    addresses.iter().any(|address| TcpStream::connect_timeout(address, Duration::from_secs(5)).is_ok())
}

fn licence(product: &str, server: &str, as_user: Option<&str>, knobs: &Knobs) -> UserLicence {
    let user = as_user.map(str::to_owned).or_else(|| knobs.licence_user.clone()).unwrap_or_else(user_name);
    let expires = user_based::now() + DAYS * 24 * 3600;
    UserLicence { product: product.to_owned(), server: server.to_owned(), user, expires }
}

fn cache(licence: &UserLicence, environment: &Environment) -> Result<(), String> {
    let path = user_based::path(environment).ok_or("armlm: there is no home directory")?;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|error| format!("armlm: {}: {error}", directory.display()))?;
    }
    write(&path, licence)
}

fn write(path: &Path, licence: &UserLicence) -> Result<(), String> {
    let text = serde_json::to_string_pretty(licence).map_err(|error| format!("armlm: {error}"))?;
    std::fs::write(path, text).map_err(|error| format!("armlm: {}: {error}", path.display()))
}
