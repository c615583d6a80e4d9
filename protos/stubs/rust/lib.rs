//! Messages and clients of `shiplift.v1`.

/// The package `shiplift.v1`.
#[allow(clippy::all)]
pub mod v1 {
    include!("shiplift.v1.rs");
}
