//! The door: HTTP in, a call, HTTP out.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use pumice_api::xmlrpc;

use super::{Answer, Arguments, Call, Fault, Value, table};
use crate::{
    access::{Credentials, Identity, LoginError},
    app::Shared,
};

/// A text that is not a call (<http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php>).
const PARSE_ERROR: i64 = -32700;
/// A method that is not there.
const UNKNOWN_METHOD: i64 = -32601;

/// Answers a call.
pub(crate) async fn answer(shared: Arc<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let who = match Credentials::of(&headers, None).identify(&shared.database, shared.clock).await {
        Ok(who) => Arc::new(who),
        Err(LoginError::InvalidToken) => {
            // LAVA's very words and type: clients show them.
            let headers = [
                (header::WWW_AUTHENTICATE, "Basic realm=\"pumice\""),
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            ];
            return (StatusCode::UNAUTHORIZED, headers, "Invalid token").into_response();
        }
        Err(LoginError::Failed(refusal)) => return xml(&Err(refusal.into())),
    };
    if who.user.is_none() && shared.config.require_login {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"pumice\"")], "Log in")
            .into_response();
    }
    let request = match xmlrpc::request(&body) {
        Ok(request) => request,
        Err(error) => return xml(&Err(Fault { code: PARSE_ERROR, message: error.to_string() })),
    };
    xml(&call(&shared, &who, &request.method, request.params).await)
}

/// Calls one method. Boxed, because a method may call others.
pub(super) fn call(
    shared: &Arc<Shared>,
    who: &Arc<Identity>,
    method: &str,
    params: Vec<Value>,
) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    let Some(known) = table::find(method) else {
        let message = format!("server error. requested method {method} not found");
        return Box::pin(std::future::ready(Err(Fault { code: UNKNOWN_METHOD, message })));
    };
    if params.len() > known.parameters.len() {
        let most = known.parameters.len();
        let message = format!("Bad request: {method} takes at most {most} arguments, not {}", params.len());
        return Box::pin(std::future::ready(Err(Fault { code: 400, message })));
    }
    (known.run)(Call { shared: Arc::clone(shared), who: Arc::clone(who), arguments: Arguments(params) })
}

fn xml(answer: &Answer) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/xml; charset=utf-8")];
    let text = match answer {
        Ok(value) => xmlrpc::response(value),
        Err(fault) => xmlrpc::fault(fault.code, &fault.message),
    };
    (headers, text).into_response()
}
