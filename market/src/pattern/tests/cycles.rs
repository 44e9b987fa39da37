//! cycles
