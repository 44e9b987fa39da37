//! Measurements of the product: what `billwatch bench` prints.
//!
//! Owns what each number means. Everything that is measured is fed from memory or from a file made beforehand, and every
//! report carries what it was measured on. Begin with [`plain_loop`], the yardstick.

pub mod epochs;
pub mod plain_loop;
