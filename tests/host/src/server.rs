//! Owns the listening socket and the way of a request: route, headers, component, answer.
//!
//! Refuses to help beyond what Spin does: no TCP_NODELAY, no limits on bodies, no cancelling when
//! a client goes away, no graceful end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::request;
use crate::router::{RouteMatch, Router, WELL_KNOWN_PREFIX};
use crate::stdio::say;
use crate::worker::Workers;

/// An application that is ready to serve.
pub(crate) struct Server {
    router: Router,
    components: HashMap<String, ProxyHandler<Workers>>,
}

impl Server {
    pub(crate) fn new(router: Router, components: HashMap<String, ProxyHandler<Workers>>) -> Self {
        Self { router, components }
    }

    /// Ends only with an error of the listening socket.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) -> anyhow::Result<()> {
        loop {
            let (stream, client) = listener.accept().await?;
            tokio::spawn(self.clone().connection(stream, client));
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr) {
        let service = service_fn(move |request: Request<Incoming>| {
            let server = self.clone();
            async move { server.handle(request, client).await }
        });
        // Its errors are clients that went away; Spin does not show them either.
        let _ = Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn handle(
        &self,
        mut request: Request<Incoming>,
        client: SocketAddr,
    ) -> anyhow::Result<Response<WasiBody>> {
        request::strip(request.headers_mut());
        let path = request.uri().path().to_owned();
        if let Some(well_known) = path.strip_prefix(WELL_KNOWN_PREFIX) {
            return Ok(match well_known {
                "health" => answer(StatusCode::OK, "OK"),
                _ => answer(StatusCode::NOT_FOUND, ""),
            });
        }
        let Some(route) = self.router.route(&path) else {
            return Ok(answer(StatusCode::NOT_FOUND, ""));
        };
        // An error closes the connection without an answer, as in Spin.
        *request.uri_mut() = request::absolute_uri(request.uri(), request.headers())?;
        match self.call(request, &route, client).await {
            Ok(response) => Ok(response),
            Err(error) => {
                say(format_args!("Error processing request: {error:#}"));
                Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, ""))
            }
        }
    }

    async fn call(
        &self,
        request: Request<Incoming>,
        route: &RouteMatch<'_>,
        client: SocketAddr,
    ) -> anyhow::Result<Response<WasiBody>> {
        let Some(component) = self.components.get(route.component()) else {
            anyhow::bail!("unknown component {}", route.component());
        };
        let (mut parts, body) = request.into_parts();
        request::add_headers(&mut parts.headers, &parts.uri, route, client)?;
        let body = body.map_err(Error::from).boxed_unsync();
        Ok(component.handle((), Request::from_parts(parts, body)).await?)
    }
}

/// An answer of the host itself.
fn answer(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(body.map_err(Error::from).boxed_unsync());
    *response.status_mut() = status;
    response
}
