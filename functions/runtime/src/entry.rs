//! The wrapper around every route: request id, CORS, problem+json, `Content-Length`, one log line
//! per failure.

use std::cell::Cell;

use shared::{Code, Error};
use spin_sdk::wasip3::http::types::{ErrorCode, Request as WasiRequest, Response as WasiResponse};

use crate::http::{Body, header};
use crate::spin::body::HostBody;
use crate::spin::{clock, wasi_http};
use crate::{Instance, Request, Response, log};

/// Longest request id that is accepted from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The response of a component's `route` to one request, errors of the route included. Called by
/// the code that [`component!`](crate::component) generates.
///
/// # Errors
/// If the host rejects the response.
pub async fn serve<A: Instance>(
    request: WasiRequest,
    route: impl AsyncFnOnce(&A, &Request) -> Result<Response, Error>,
) -> Result<WasiResponse, ErrorCode> {
    #[cfg(feature = "count-allocations")]
    let mark = crate::allocations::mark();
    let incoming = wasi_http::head(&request);
    let request_id = request_id(&incoming.headers);
    let origin = header(&incoming.headers, "origin").map(str::to_owned);
    let is_head = incoming.is_head;
    let app = A::get().await;
    let outcome = match &app {
        Err(error) => unconfigured(&incoming.target, error),
        Ok(app) => {
            let body = Some(Box::new(HostBody::new(request)) as Body);
            match Request::new(incoming.method, &incoming.target, incoming.headers, body) {
                Err(error) => Err(error),
                Ok(request) => match app.app().config.cors.preflight(&request) {
                    Some(response) => Ok(response),
                    None => {
                        app.app().prepare(&request).await;
                        route(app, &request).await
                    }
                },
            }
        }
    };
    let response = match outcome {
        Ok(response) => response,
        Err(error) => {
            if error.code().status() >= 500 && error.code() != Code::AuthNotConfigured {
                let fields = [("code", error.code().as_str()), ("request_id", &request_id)];
                log::warn("request_failed", &fields);
            }
            Response::from(&error)
        }
    };
    let response = match &app {
        Ok(app) => app.app().config.cors.apply(origin.as_deref(), response),
        Err(_) => response,
    };
    #[cfg(feature = "count-allocations")]
    let response = response.with("x-allocations", mark.since());
    wasi_http::respond(response.with("x-request-id", request_id), is_head)
}

/// The response of a component whose configuration is invalid. It is alive, since a restart would
/// change nothing, but not ready.
fn unconfigured(target: &str, error: &Error) -> Result<Response, Error> {
    match target.split('?').next() {
        Some("/healthz") => Ok(Response::alive()),
        Some("/readyz") => Err(Error::new(Code::NotReady, error.detail())),
        _ => Err(error.clone()),
    }
}

/// The client's request id if it is short and plain, else a new one.
fn request_id(headers: &[(String, Vec<u8>)]) -> String {
    let is_plain = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match header(headers, "x-request-id").filter(is_plain) {
        Some(id) => id.to_owned(),
        None => fresh_request_id(),
    }
}

/// A random word per instance and a count: one call to the host instead of one per request.
fn fresh_request_id() -> String {
    thread_local! {
        static PREFIX: String = clock::random_word();
        static COUNT: Cell<u32> = const { Cell::new(0) };
    }
    let count = COUNT.with(|count| {
        count.set(count.get().wrapping_add(1));
        count.get()
    });
    PREFIX.with(|prefix| format!("{prefix}-{count}"))
}

/// Exports a component's entry point: an async function that takes `&App` or `&RecordApp` and
/// `&Request` and returns `Result<Response, Error>`. Invoke it once, in `lib.rs`.
///
/// Native builds export nothing, since their linker rejects the host's symbols; tests run the
/// built component in a host.
///
/// ```
/// use runtime::{App, Error, Request, Response};
///
/// runtime::component!(route);
///
/// async fn route(_app: &App, request: &Request) -> Result<Response, Error> {
///     match request.path().as_slice() {
///         ["hello"] => Ok(Response::json(200, r#"{"hello":"world"}"#)),
///         _ => Err(Error::not_found("this path")),
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! component {
    ($route:path) => {
        // In native builds nothing else refers to the route.
        #[cfg(not(target_family = "wasm"))]
        #[doc(hidden)]
        pub fn component_route() {
            let _ = $route;
        }

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "generated: the component's exports")]
        mod entry_point {
            // Brings a route of the same module into scope.
            #[allow(unused_imports, reason = "empty if the route lies in another module")]
            use super::*;
            use $crate::wasip3::exports::http::handler::Guest;
            use $crate::wasip3::http::types::{ErrorCode, Request, Response};

            struct Component;
            $crate::wasip3::http::service::export!(Component);

            impl Guest for Component {
                async fn handle(request: Request) -> Result<Response, ErrorCode> {
                    $crate::entry::serve(request, $route).await
                }
            }
        }
    };
}
