//! `wait` for users of the library.

use std::time::Duration;

use super::wait::{self, HttpPath, WaitAttempt, WaitFor, WaitRequest, WaitTarget, Waited};
use crate::model::{Error, ErrorKind, ErrorName, Listener, Target};
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
/// that does not concern the port. For a Unix socket, if the caller cannot create a file in its directory, or if it is
/// to be connected to.
pub fn wait(target: &Target, wanted: WaitFor, timeout: Option<Duration>) -> Result<WaitResult, Error> {
    let options = WaitOptions { timeout, ..WaitOptions::new().wanted(wanted) };
    let mut results = wait_for(vec![WaitTarget::one(target)?], &options)?;
    // One target has one result.
    results.pop().ok_or_else(|| Error::new(ErrorKind::Usage, "there is nothing to wait for"))
}

/// Waits until all `targets`, or with [`WaitOptions::any`] one of them, are in a state, and returns the result of each
/// port and each Unix socket: ports in order of port, protocol and address, then Unix sockets.
///
/// A range is each of its ports. Each pass reads the socket table once for all targets. It ends before the timeout if a
/// port cannot be bound for a reason that waiting does not change.
///
/// ```
/// use std::time::Duration;
/// use allears::{Target, WaitFor, WaitOptions};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
/// let target: Target = server.local_addr().expect("it is bound").to_string().parse()?;
/// let options = WaitOptions::new().wanted(WaitFor::Accepts).any(true).timeout(Duration::from_secs(1));
/// for result in allears::wait_many(&[target, "127.0.0.1:9".parse()?], &options)? {
///     println!("{}: {}", result.target, result.reached);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`wait()`]; also if there is no target, or if a target is every Unix socket.
pub fn wait_many(targets: &[Target], options: &WaitOptions) -> Result<Vec<WaitResult>, Error> {
    let mut each = WaitTarget::each(targets)?;
    WaitTarget::sort(&mut each);
    if each.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "there is nothing to wait for"));
    }
    wait_for(each, options)
}

fn wait_for(targets: Vec<WaitTarget>, options: &WaitOptions) -> Result<Vec<WaitResult>, Error> {
    let request = WaitRequest {
        wanted: options.wanted,
        http_path: options.http_path.clone(),
        any: options.any,
        timeout: options.timeout,
        holders: true,
    };
    let waited = wait::wait(&targets, &request, &mut ())?;
    let results = targets.into_iter().zip(waited);
    Ok(results.map(|(target, waited)| WaitResult::new(target, waited)).collect())
}

/// What [`wait_many`] waits for, and for how long. By default, until something listens on every target.
///
/// ```
/// use std::time::Duration;
/// use allears::{WaitFor, WaitOptions};
///
/// let healthy = WaitOptions::new().wanted(WaitFor::Http).http_path("/health")?;
/// let one_of_them = WaitOptions::new().any(true).timeout(Duration::from_secs(30));
/// # Ok::<(), allears::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WaitOptions {
    wanted: WaitFor,
    http_path: HttpPath,
    any: bool,
    timeout: Option<Duration>,
}

impl Default for WaitOptions {
    fn default() -> WaitOptions {
        WaitOptions { wanted: WaitFor::Listening, http_path: HttpPath::default(), any: false, timeout: None }
    }
}

impl WaitOptions {
    /// Returns the default options.
    pub fn new() -> WaitOptions {
        WaitOptions::default()
    }

    /// Sets the state to wait for.
    pub fn wanted(mut self, wanted: WaitFor) -> WaitOptions {
        self.wanted = wanted;
        self
    }

    /// Sets the path for [`WaitFor::Http`]. The default is `/`.
    ///
    /// # Errors
    /// If it does not begin with `/`, or has a space or a control character.
    pub fn http_path(mut self, path: &str) -> Result<WaitOptions, Error> {
        self.http_path = HttpPath::parse(path).map_err(|error| Error::new(ErrorKind::Usage, error))?;
        Ok(self)
    }

    /// Sets whether one target is enough.
    pub fn any(mut self, any: bool) -> WaitOptions {
        self.any = any;
        self
    }

    /// Sets the longest time. Without it, waiting does not end before the state is reached. An attempt to connect gets
    /// half a second even if less is left.
    pub fn timeout(mut self, timeout: Duration) -> WaitOptions {
        self.timeout = Some(timeout);
        self
    }
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WaitResult {
    /// The port or the Unix socket.
    pub target: Target,
    /// Whether the state was reached.
    pub reached: bool,
    /// Whether the last scan was complete. If not, the state may have been reached although `reached` is false.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// The listeners that were waited for, with their holders.
    pub listeners: Vec<Listener>,
    /// The error of the operating system if a bind is refused although no socket has the port: `EACCES`.
    pub error: Option<ErrorName>,
    /// What forbids that bind, if it is known.
    pub hindrance: Option<Hindrance>,
    /// Whether waiting longer cannot help, because permission is missing or a policy forbids the port.
    pub is_hopeless: bool,
    /// The result of the last connection, for [`WaitFor::Accepts`] and [`WaitFor::Http`].
    pub attempt: Option<WaitAttempt>,
}

impl WaitResult {
    fn new(target: WaitTarget, waited: Waited) -> WaitResult {
        let (error, hindrance) = match waited.refused {
            Some(refused) => (Some(refused.refusal.name), refused.hindrance),
            None => (None, None),
        };
        WaitResult {
            target: target.target,
            reached: waited.reached,
            complete: waited.complete,
            took: waited.took,
            listeners: waited.listeners,
            error,
            hindrance,
            is_hopeless: waited.is_hopeless,
            attempt: waited.attempt,
        }
    }
}
