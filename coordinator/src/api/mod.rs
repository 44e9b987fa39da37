//! The services that clients call. Each file is one service; errors are in [`errors`].

pub mod errors;
