//! Systems that are not supported.

compile_error!("allears reads the socket tables of Linux, macOS and Windows; this system is not supported");
