//! `wait` for users of the library.

use std::time::Duration;

use super::wait::{self, WaitFor, Waited};
use super::wait_unix;
use super::why::bind_target;
use crate::model::{Error, Listener, Target};
use crate::verdict::Hindrance;

/// Waits until `target` is in the state `wanted`, and returns whether it was reached.
///
/// The target is one port, of TCP unless it names UDP, or one Unix socket. It is checked every 5 ms at first and every
/// 200 ms later. No process is scanned until the state is reached. Without a `timeout` it waits forever.
///
/// [`WaitFor::Free`] is reached if the caller can bind the port. A server that sets SO_REUSEADDR can start during the check.
///
/// ```
/// use std::time::Duration;
/// use allears::{Target, WaitFor};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let target: Target = server.local_addr().expect("it is bound").to_string().parse()?;
/// let waited = allears::wait(&target, WaitFor::Listening, Some(Duration::from_secs(1)))?;
/// assert!(waited.reached);
/// assert_eq!(waited.listeners.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the target is more than one port or socket, if the socket table cannot be read, or if a bind fails for a reason
/// that does not concern the port. For a Unix socket, if the caller cannot create a file in its directory.
pub fn wait(target: &Target, wanted: WaitFor, timeout: Option<Duration>) -> Result<WaitResult, Error> {
    if target.is_unix() && target.names_one() {
        let target = target.clone().at_current_directory();
        let waited = wait_unix::wait_unix(&target, wanted, timeout, &mut |_| {})?;
        let found = || wait_unix::found_unix(&target);
        return WaitResult::new(waited, wanted, found);
    }
    let bind_target = bind_target(target)?;
    let waited = wait::wait(target, &bind_target, wanted, timeout, &mut |_| {})?;
    WaitResult::new(waited, wanted, || wait::found(target, &bind_target))
}

/// The result of waiting.
///
/// ```
/// use std::time::Duration;
/// use allears::{Target, WaitFor};
///
/// let waited = allears::wait(&Target::port(10309)?, WaitFor::Free, Some(Duration::ZERO))?;
/// if !waited.reached {
///     println!("not free after {:?}", waited.took);
/// }
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitResult {
    /// Whether the state was reached.
    pub reached: bool,
    /// Whether the last scan was complete. If not, the state may have been reached although `reached` is false.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// The listeners that were waited for, with their holders.
    pub listeners: Vec<Listener>,
    /// The error of the operating system if a bind is refused although no socket has the port: `EACCES`.
    pub error: Option<String>,
    /// What forbids that bind, if it is known.
    pub hindrance: Option<Hindrance>,
    /// Whether waiting longer cannot help, because permission is missing or a policy forbids the port.
    pub is_hopeless: bool,
}

impl WaitResult {
    fn new(
        waited: Waited,
        wanted: WaitFor,
        found: impl FnOnce() -> Result<Vec<Listener>, Error>,
    ) -> Result<WaitResult, Error> {
        let listeners = match waited.reached && wanted == WaitFor::Listening {
            true => found()?,
            false => Vec::new(),
        };
        let (error, hindrance) = match waited.refused {
            Some(refused) => (Some(refused.refusal.name), refused.hindrance),
            None => (None, None),
        };
        Ok(WaitResult {
            reached: waited.reached,
            complete: waited.complete,
            took: waited.took,
            listeners,
            error,
            hindrance,
            is_hopeless: waited.is_hopeless,
        })
    }
}
