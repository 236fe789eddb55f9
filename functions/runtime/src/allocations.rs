//! Counts what a request allocates, for the benchmark `allocations`: only with the feature `count-allocations`, which
//! no deployed component has.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code, reason = "there is no other way to count")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller's.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// The counters at a moment.
pub(crate) struct Mark(u64, u64);

pub(crate) fn mark() -> Mark {
    Mark(ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed))
}

impl Mark {
    /// Allocations and bytes since then, as `<allocations> <bytes>`. Other requests of the instance count as well.
    pub(crate) fn since(&self) -> String {
        let now = mark();
        format!("{} {}", now.0 - self.0, now.1 - self.1)
    }
}
