//! Converts WASI HTTP requests and responses with as few calls to the host as possible: they are
//! most of the cost of a small request.

use spin_sdk::wasip3::http::types::{
    ErrorCode, Fields, Method as WasiMethod, Request as WasiRequest, Response as WasiResponse,
};
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};

use crate::http::{Method, Response};

/// The head of a request, unchecked.
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) is_head: bool,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// The head of a request.
pub(crate) fn head(request: &WasiRequest) -> Incoming {
    let wasi_method = request.get_method();
    let method = match wasi_method {
        WasiMethod::Get | WasiMethod::Head => Method::Get,
        WasiMethod::Post => Method::Post,
        WasiMethod::Put => Method::Put,
        WasiMethod::Delete => Method::Delete,
        WasiMethod::Options => Method::Options,
        _ => Method::Other,
    };
    Incoming {
        method,
        is_head: matches!(wasi_method, WasiMethod::Head),
        target: request.get_path_with_query().unwrap_or_default(),
        headers: request.get_headers().copy_all(),
    }
}

/// The host's response; its body is written after the handler has returned.
///
/// # Errors
/// If the host rejects a header or the status.
pub(crate) fn respond(response: Response, is_head: bool) -> Result<WasiResponse, ErrorCode> {
    let Response { status, headers, body } = response;
    let mut fields: Vec<(String, Vec<u8>)> =
        headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
    // RFC 9110 §8.6: a 204 must not have it, and a 304 only the length of the 200.
    if status != 204 && status != 304 {
        fields.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    }
    let fields = Fields::from_list(&fields)
        .map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?;
    let (trailers_writer, trailers) = wit_future::new(|| Ok(None));
    let contents = if is_head || body.is_empty() {
        drop(trailers_writer);
        None
    } else {
        let (mut writer, reader) = wit_stream::new();
        spawn(async move {
            // The write fails if the client has disconnected; nothing remains to be done then.
            let _unwritten = writer.write_all(body).await;
            drop(writer);
            let _ = trailers_writer.write(Ok(None)).await;
        });
        Some(reader)
    };
    let (wasi_response, _sent) = WasiResponse::new(fields, contents, trailers);
    wasi_response
        .set_status_code(status)
        .map_err(|()| ErrorCode::InternalError(Some("bad status".to_owned())))?;
    Ok(wasi_response)
}
