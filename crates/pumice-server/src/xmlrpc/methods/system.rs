//! `system.*`: about the server itself.

#![expect(clippy::unused_async, reason = "every method has one form")]

use std::{future::Future, pin::Pin, sync::Arc};

use pumice_db::ObjectKind;

use super::super::{Answer, Call, Fault, Value, door, help, table};
use crate::{
    LAVA_VERSION,
    access::{Identity, Scope, Scopes},
    lab::permissions,
    refusal::Refusal,
};

pub(in super::super) async fn version(_: Call) -> Answer {
    Ok(LAVA_VERSION.into())
}

pub(in super::super) async fn api_version(_: Call) -> Answer {
    Ok(Value::Int(2))
}

pub(in super::super) async fn whoami(call: Call) -> Answer {
    Ok(call.who.user.as_ref().map(|user| user.username.as_str()).into())
}

pub(in super::super) async fn list_methods(_: Call) -> Answer {
    Ok(table::all().iter().map(|method| Value::from(method.name)).collect())
}

pub(in super::super) async fn method_help(call: Call) -> Answer {
    let method = call.arguments.text(0)?;
    // LAVA answers nothing about what it does not know, and clients expect it.
    Ok(table::find(&method).map(help::help).unwrap_or_default().into())
}

pub(in super::super) async fn method_signature(call: Call) -> Answer {
    Ok(match call.arguments.text(0)?.as_str() {
        "system.methodHelp" => vec!["str", "str"].into(),
        "system.multicall" => vec!["array", "array"].into(),
        _ => "undef".into(),
    })
}

pub(in super::super) async fn capabilities(_: Call) -> Answer {
    let spec = |url: &str, version: i64| {
        Value::members([("specUrl", url.into()), ("specVersion", Value::Int(version))])
    };
    Ok(Value::members([
        ("xmlrpc", spec("http://www.xmlrpc.com/spec", 1)),
        ("introspection", spec("http://phpxmlrpc.sourceforge.net/doc-2/ch10.html", 2)),
        ("system.multicall", spec("http://mirrors.talideon.com/articles/multicall.html", 1)),
        ("nil", spec("http://ontosys.com/xml-rpc/extensions.php", 1)),
    ]))
}

pub(in super::super) async fn master_config(_: Call) -> Answer {
    Ok(Value::members([
        ("EVENT_SOCKET", "".into()),
        ("EVENT_TOPIC", "org.lavasoftware".into()),
        ("EVENT_NOTIFICATION", Value::Bool(true)),
        ("LOG_SIZE_LIMIT", Value::Int(0)),
    ]))
}

/// Boxed, because it refers to the table of methods, which refers to it.
pub(in super::super) fn multicall(call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(call_each(call))
}

async fn call_each(call: Call) -> Answer {
    let Some(Value::Array(calls)) = call.arguments.get(0) else {
        return Err(Refusal::Invalid("Bad request: system.multicall takes an array".to_owned()).into());
    };
    let mut answers = Vec::new();
    for one in calls {
        let answer = match parts(one) {
            // A call that calls again could go on for ever.
            Some(("system.multicall", _)) => {
                Err(Fault { code: 400, message: "system.multicall may not call itself".to_owned() })
            }
            Some((method, params)) => door::call(&call.shared, &call.who, method, params).await,
            None => Err(Fault { code: 400, message: "a call has a methodName and params".to_owned() }),
        };
        answers.push(match answer {
            Ok(value) => Value::Array(vec![value]),
            Err(fault) => fault.value(),
        });
    }
    Ok(Value::Array(answers))
}

fn parts(call: &Value) -> Option<(&str, Vec<Value>)> {
    let Value::Struct(members) = call else { return None };
    let member = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let Value::String(method) = member("methodName")? else { return None };
    match member("params") {
        Some(Value::Array(params)) => Some((method, params.clone())),
        None => Some((method, Vec::new())),
        Some(_) => None,
    }
}

/// Who is asked about: oneself, or somebody else for a superuser.
async fn subject(call: &Call, place: usize) -> Result<Arc<Identity>, Fault> {
    let Some(username) = call.arguments.maybe_text(place)? else {
        call.who.logged_in()?;
        return Ok(Arc::clone(&call.who));
    };
    if call.who.user.as_ref().is_some_and(|user| user.username == username) {
        return Ok(Arc::clone(&call.who));
    }
    if !call.who.is_superuser() {
        return Err(
            Refusal::Forbidden(format!("User '{}' may only ask about itself.", call.who.name())).into()
        );
    }
    let mut reader = call.shared.database.read().await?;
    let user = reader.user(&username).await?.ok_or_else(|| Refusal::missing("User", &username))?;
    Ok(Arc::new(Identity::of(&mut reader, Some(user), Scopes::default()).await?))
}

pub(in super::super) async fn can_view_jobs(call: Call) -> Answer {
    let who = subject(&call, 1).await?;
    let mut reader = call.shared.database.read().await?;
    let mut answers = Vec::new();
    for name in call.arguments.maybe_texts(0)?.unwrap_or_default() {
        let sees = match name.parse() {
            Ok(id) => reader.sees_job(&who.viewer, id).await?,
            Err(_) => false,
        };
        answers.push((name, Value::Bool(sees)));
    }
    Ok(Value::Struct(answers))
}

pub(in super::super) async fn can_view_devices(call: Call) -> Answer {
    let who = subject(&call, 1).await?;
    let mut reader = call.shared.database.read().await?;
    let mut answers = Vec::new();
    for name in call.arguments.maybe_texts(0)?.unwrap_or_default() {
        let device = reader.device(&name).await?;
        let sees = device.is_some_and(|device| who.viewer.sees_device(&device.hostname, &device.device_type));
        answers.push((name, Value::Bool(sees)));
    }
    Ok(Value::Struct(answers))
}

pub(in super::super) async fn can_view_bundles(call: Call) -> Answer {
    subject(&call, 1).await?;
    let names = call.arguments.maybe_texts(0)?.unwrap_or_default();
    Ok(Value::Struct(names.into_iter().map(|name| (name, Value::Bool(false))).collect()))
}

pub(in super::super) async fn can_submit(call: Call) -> Answer {
    let who = subject(&call, 1).await?;
    let mut reader = call.shared.database.read().await?;
    let mut answers = Vec::new();
    for name in call.arguments.maybe_texts(0)?.unwrap_or_default() {
        let known = reader.device_type(&name).await?.is_some();
        answers.push((name.clone(), Value::Bool(known && who.may_submit_to(&mut reader, "", &name).await?)));
    }
    Ok(Value::Struct(answers))
}

async fn set(call: Call, kind: ObjectKind, has_it: bool) -> Answer {
    let (permission, object, group) =
        (call.arguments.text(0)?, call.arguments.text(1)?, call.arguments.text(2)?);
    permissions::set(&call.shared, &call.who, kind, &object, &group, &permission, has_it).await?;
    Ok(Value::Nil)
}

pub(in super::super) async fn assign_device(call: Call) -> Answer {
    set(call, ObjectKind::Device, true).await
}

pub(in super::super) async fn assign_type(call: Call) -> Answer {
    set(call, ObjectKind::DeviceType, true).await
}

pub(in super::super) async fn revoke_device(call: Call) -> Answer {
    set(call, ObjectKind::Device, false).await
}

pub(in super::super) async fn revoke_type(call: Call) -> Answer {
    set(call, ObjectKind::DeviceType, false).await
}

pub(in super::super) async fn set_user_groups(call: Call) -> Answer {
    call.who.using(Scope::Manage)?;
    call.who.needs("auth.change_user")?;
    let (username, wanted) = (call.arguments.text(0)?, call.arguments.maybe_texts(1)?.unwrap_or_default());
    let mut writer = call.shared.database.write().await?;
    let user = writer.user(&username).await?.ok_or_else(|| Refusal::missing("User", &username))?;
    for group in writer.groups_of_user(user.id).await? {
        writer.leave_group(user.id, group.id).await?;
    }
    for name in &wanted {
        let group = writer.group(name).await?.ok_or_else(|| Refusal::missing("Group", name))?;
        writer.join_group(user.id, group.id).await?;
    }
    writer.commit().await?;
    crate::lab::devices::refresh_all(&call.shared).await?;
    Ok(Value::Nil)
}
