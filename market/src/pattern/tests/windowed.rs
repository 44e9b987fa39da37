//! windowed
