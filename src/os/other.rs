//! Systems that are not supported. The build script says so before this is compiled.

compile_error!("allears supports Linux, macOS and Windows; this system is not supported yet");
