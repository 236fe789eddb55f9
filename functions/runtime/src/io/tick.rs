//! Ticks: timers of the host that are kept between requests.
//!
//! Nearly every call is answered long before its deadline, and a timer that is started and
//! cancelled for each costs the host 9 µs, more than a `GET` costs Redis. So a call first waits for
//! a timer that was started earlier, by whoever, and that is put back when the call is answered;
//! only who sees it fire starts one of its own.
//!
//! A future of the SDK stays with the task that polled it first: that one does not end before the
//! call has, and no other can wait for it. The canonical ABI knows no such bond: a subtask may be
//! joined to the waitable set of any task of its instance
//! (<https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>,
//! `waitable.join`). So this module makes the call itself, and registers with whatever task runs it
//! through `wasip3_task`, the C interface by which wit-bindgen lets the futures of one of its
//! versions run in a task of another (`wit_bindgen::rt::async_support`, cabi.rs, version 1).
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "the canonical ABI has no safe form of this")]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What a deadline may be longer by.
const TICK: Duration = Duration::from_millis(250);

/// As many as there are requests at once in an instance of Spin's; those of more are cancelled.
const KEPT_MAX: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<Box<Timer>>> = const { RefCell::new(Vec::new()) };
}

/// Ends at some time within a tick, or later where the host is busy.
pub fn tick() -> Tick {
    Tick { timer: None }
}

/// The future of [`tick`].
pub struct Tick {
    /// From the first poll until it has fired.
    timer: Option<Box<Timer>>,
}

/// A subtask of the host, and who waits for it. In a box, since the task keeps a pointer.
struct Timer {
    subtask: u32,
    is_fired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Future for Tick {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let timer = match self.timer.take() {
            Some(timer) => timer,
            None => match KEPT.with_borrow_mut(Vec::pop).or_else(Timer::start) {
                Some(timer) if timer.join() => timer,
                // Whoever waits starts a timer of their own, as if this one had fired.
                Some(_) | None => return Poll::Ready(()),
            },
        };
        if timer.is_fired.get() {
            return Poll::Ready(()); // and drops the subtask
        }
        timer.waker.borrow_mut().replace(context.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        let Some(timer) = self.timer.take() else { return };
        timer.leave();
        timer.waker.borrow_mut().take();
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_MAX && !timer.is_fired.get() {
                kept.push(timer);
            }
        });
    }
}

impl Timer {
    /// `None` where the host was done at once.
    fn start() -> Option<Box<Self>> {
        let nanoseconds = i64::try_from(TICK.as_nanos()).unwrap_or(i64::MAX);
        // SAFETY: the import takes one number and gives a packed state and handle.
        let packed = unsafe { wait_for(nanoseconds) } as u32;
        let (state, subtask) = (packed & 0xf, packed >> 4);
        (state != RETURNED).then(|| {
            Box::new(Self { subtask, is_fired: Cell::new(false), waker: RefCell::new(None) })
        })
    }

    /// Lets the current task hear when it fires; `false` where there is no task of a known kind.
    fn join(&self) -> bool {
        let callback_ptr: *const Self = self;
        // SAFETY: the pointer lives until the task has called `fired` or this was taken out of it:
        // both ways out of `Tick` that leave a timer unfired go through `leave`.
        with_task(|task| unsafe {
            (task.waitable_register)(task.ptr, self.subtask, fired, callback_ptr.cast_mut().cast())
        })
    }

    /// Takes it out of the current task.
    fn leave(&self) {
        if !self.is_fired.get() {
            // SAFETY: the subtask is ours, and there until this is dropped.
            with_task(|task| unsafe { (task.waitable_unregister)(task.ptr, self.subtask) });
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the subtask is ours and in no waitable set: it has fired, or was taken out. What
        // has not returned must be cancelled before it may be dropped.
        unsafe {
            if !self.is_fired.get() {
                subtask_cancel(self.subtask);
            }
            subtask_drop(self.subtask);
        }
    }
}

/// Called by the task when the subtask's state has changed; it has been taken out of the task.
unsafe extern "C" fn fired(timer: *mut c_void, state: u32) {
    // SAFETY: what `join` passed, which is alive (see there).
    let timer = unsafe { &*timer.cast::<Timer>() };
    if state == RETURNED {
        timer.is_fired.set(true);
        if let Some(waker) = timer.waker.borrow_mut().take() {
            waker.wake();
        }
    } else {
        timer.join();
    }
}

/// Runs `call` with the task that is polled or dropped now; `false` where it is of no known kind.
fn with_task(call: impl FnOnce(&Task) -> *mut c_void) -> bool {
    // SAFETY: what this gives is null or valid as long as code of the task runs, which is now, and
    // is set again at once. A later version has the fields of the first one.
    unsafe {
        let task = wasip3_task_set(ptr::null_mut());
        let is_known = !task.is_null() && (*task).version >= TASK_VERSION;
        if is_known {
            call(&*task);
        }
        wasip3_task_set(task);
        is_known
    }
}

/// `RETURNED` of the canonical ABI's subtask states.
const RETURNED: u32 = 2;

/// The first version, which has the fields below.
const TASK_VERSION: u32 = 1;

type Callback = unsafe extern "C" fn(callback_ptr: *mut c_void, state: u32);

/// `wasip3_task` of wit-bindgen.
#[repr(C)]
struct Task {
    version: u32,
    ptr: *mut c_void,
    waitable_register: unsafe extern "C" fn(
        task: *mut c_void,
        waitable: u32,
        callback: Callback,
        callback_ptr: *mut c_void,
    ) -> *mut c_void,
    waitable_unregister: unsafe extern "C" fn(task: *mut c_void, waitable: u32) -> *mut c_void,
}

unsafe extern "C" {
    fn wasip3_task_set(task: *mut Task) -> *mut Task;
}

#[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.3.0")]
unsafe extern "C" {
    #[link_name = "[async-lower]wait-for"]
    fn wait_for(nanoseconds: i64) -> i32;
}

#[link(wasm_import_module = "$root")]
unsafe extern "C" {
    #[link_name = "[subtask-cancel]"]
    fn subtask_cancel(subtask: u32) -> u32;
    #[link_name = "[subtask-drop]"]
    fn subtask_drop(subtask: u32);
}
