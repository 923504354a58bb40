//! The command line; everything else is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes some hundred small allocations on one thread and frees them on another; this takes a fifth of the
/// processor time that the C library's allocator takes for the whole.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tunnelgate::cli::run()
}
