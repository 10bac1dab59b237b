//! The operating systems that are known.

use super::open_enum::open_enum;

open_enum! {
    /// An operating system.
    ///
    /// ```
    /// use allears::System;
    ///
    /// assert_eq!(System::Macos.to_string(), "macos");
    /// assert_eq!("linux".parse(), Ok(System::Linux));
    /// ```
    System {
        /// Linux.
        Linux = "linux",
        /// macOS.
        Macos = "macos",
        /// Windows.
        Windows = "windows",
    }
}
