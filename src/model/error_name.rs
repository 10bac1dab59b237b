//! The names of errors of the operating system.

use super::open_enum::open_enum;

open_enum! {
    /// The name of an error of the operating system, as the manual pages of Unix have it.
    ///
    /// On Windows the errors that have no such name are `Other`: `error 10013`.
    ///
    /// ```
    /// use allears::ErrorName;
    ///
    /// let verdict = allears::why(&allears::Target::port(10309)?)?;
    /// if verdict.error == Some(ErrorName::InUse) {
    ///     println!("in use");
    /// }
    /// assert_eq!(ErrorName::InUse.to_string(), "EADDRINUSE");
    /// # Ok::<(), allears::Error>(())
    /// ```
    ErrorName {
        /// The address is in use.
        InUse = "EADDRINUSE",
        /// The address is not one of this machine's.
        NotLocal = "EADDRNOTAVAIL",
        /// Access is denied.
        Access = "EACCES",
        /// The operation is not permitted.
        NotPermitted = "EPERM",
        /// The machine does not have the address family.
        NoFamily = "EAFNOSUPPORT",
        /// The machine does not have the protocol.
        NoProtocol = "EPROTONOSUPPORT",
    }
}
