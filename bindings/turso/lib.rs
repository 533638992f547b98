//! Makes one archive of Turso's C functions (`turso_*`), which its crate declares and documents.
pub use turso_sdk_kit::*;
