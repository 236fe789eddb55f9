//! The life of instances: their creation, their number of requests, their end.
//!
//! wasmtime's `ProxyHandler` does the work, as in Spin; this file holds the limits.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::state::{Permissions, State};
use crate::stdio::say;

static IS_PROCESS_ENDING: AtomicBool = AtomicBool::new(false);

/// From now on instances end because the process does, and not because they failed.
pub fn process_ends() {
    IS_PROCESS_ENDING.store(true, Ordering::Relaxed);
}

pub(crate) fn is_process_ending() -> bool {
    IS_PROCESS_ENDING.load(Ordering::Relaxed)
}

/// Limits on the life of instances; the same for all components.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) requests_max: usize,
    pub(crate) requests_concurrent_max: usize,
    pub(crate) idle: Duration,
    /// `Duration::MAX` means no limit.
    pub(crate) request: Duration,
}

/// One component, ready to be instantiated.
pub(crate) struct Workers {
    pub(crate) service: ServicePre<State>,
    pub(crate) permissions: Permissions,
    pub(crate) limits: Limits,
}

impl HandlerState for Workers {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = Store::new(self.service.engine(), State::new(&self.permissions)?);
        let service = self.service.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy: Proxy::P3(service),
            view: WasiHttpView::http,
            expiration: Expiration {
                limits: self.limits,
                sleep: Box::pin(tokio::time::sleep(Duration::MAX)),
            },
            state: Worker {
                component: self.permissions.component.to_string(),
                limits: self.limits,
            },
        })
    }
}

/// Ends an instance from outside, even if the guest hangs.
pub(crate) struct Expiration {
    limits: Limits,
    sleep: Pin<Box<Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        // Spin has no separate limit for work after the answer: it uses the one for requests.
        let limit = match status {
            WorkerStatus::Idle => self.limits.idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.limits.request,
        };
        let Some(deadline) = start.checked_add(limit) else {
            return Poll::Pending;
        };
        if self.sleep.deadline() != deadline.into() {
            self.sleep.as_mut().reset(deadline.into());
        }
        self.sleep.as_mut().poll(cx)
    }
}

/// Decides whether an instance accepts further requests.
pub(crate) struct Worker {
    component: String,
    limits: Limits,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.limits.requests_max {
            ShouldAccept::Never
        } else if concurrent >= self.limits.requests_concurrent_max {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(tokio::time::sleep(self.limits.request))
    }

    fn drop(&self, mut store: Store<State>, result: wasmtime::Result<()>) {
        let component = &self.component;
        match result {
            // Dropped with the runtime, which wasmtime takes for a panic.
            Err(_) if is_process_ending() => {}
            Err(error) => say(format_args!("An instance of {component} failed: {error:?}")),
            // All requests, and their work after the answer, have ended: remaining calls belong to
            // none. When such a call returns, Spin 4.1's wasmtime, 47, looks for the ended request,
            // and fails the instance with all its requests unless another request has taken its
            // place (https://github.com/bytecodealliance/wasmtime/issues/13890).
            Ok(()) => match store.concurrent_state_table_size() {
                0 => {}
                left => say(format_args!("An instance of {component} left behind {left} calls")),
            },
        }
        drop(store);
    }
}
